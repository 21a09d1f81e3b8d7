-- Picked up by `vim.lsp.enable("forge")`; `vim.lsp.config("forge", { … })` changes any of it.

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
      require("forge.events").take(params, assert(vim.lsp.get_client_by_id(context.client_id)))
    end,
    ["window/showMessage"] = function(_, params)
      require("forge.messages").take(params)
    end,
    ["workspace/codeLens/refresh"] = function(_, _, context)
      require("forge.review").refresh_all(context.client_id)
      return vim.NIL
    end,
    ["workspace/textDocumentContent/refresh"] = function(_, params, context)
      require("forge.diff").refresh(assert(vim.lsp.get_client_by_id(context.client_id)), params.uri)
      return vim.NIL
    end,
  },
}
