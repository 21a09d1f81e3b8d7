--- Code lenses that are shown, as they become others.
local M = {}

---Handle `workspace/codeLens/refresh`, for which Neovim 0.11 has nothing.
---@type lsp.Handler
function M.refresh(failure, params, context)
  local built_in = vim.lsp.handlers["workspace/codeLens/refresh"]
  if built_in then
    return built_in(failure, params, context)
  end
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  for buffer in pairs(client.attached_buffers) do
    if #vim.lsp.codelens.get(buffer) > 0 then
      vim.lsp.codelens.refresh({ bufnr = buffer })
    end
  end
  return vim.NIL
end

return M
