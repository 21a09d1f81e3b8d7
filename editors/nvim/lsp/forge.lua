-- Picked up by `vim.lsp.enable("forge")`; `vim.lsp.config("forge", { … })` changes any of it.

---@param context lsp.HandlerContext
---@return vim.lsp.Client
local function client_of(context)
  return assert(vim.lsp.get_client_by_id(context.client_id))
end

---@type vim.lsp.Config
return {
  cmd = { "forge-lsp", "lsp" },
  root_dir = function(buffer, found)
    local root = require("forge.root").of_buffer(buffer)
    if root then
      found(root)
    end
  end,
  init_options = { events = true },
  capabilities = {
    workspace = {
      codeLens = { refreshSupport = true },
      textDocumentContent = { dynamicRegistration = false },
    },
  },
  handlers = {
    ["forge/event"] = function(_, params, context)
      require("forge.events").take(params, client_of(context))
    end,
    ["window/showMessage"] = function(_, params)
      require("forge.messages").take(params)
    end,
    ["workspace/codeLens/refresh"] = function(failure, params, context)
      require("forge.review").refresh_all(client_of(context))
      return require("forge.lenses").refresh(failure, params, context)
    end,
    ["workspace/textDocumentContent/refresh"] = function(_, params, context)
      require("forge.diff").refresh(client_of(context), params.uri)
      return vim.NIL
    end,
  },
}
