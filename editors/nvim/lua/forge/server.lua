--- Talks with forge-lsp.
local M = {}

M.NAME = "forge"

---@param text string
---@param level? integer
function M.tell(text, level)
  vim.notify("Forge: " .. text, level or vim.log.levels.INFO)
end

---The client of the buffer, else any.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  local mine = vim.lsp.get_clients({ name = M.NAME, bufnr = buffer or 0 })
  return mine[1] or vim.lsp.get_clients({ name = M.NAME })[1]
end

---Start the server in the working directory, where no file has started it yet.
---@param buffer integer
---@param ready fun(client: vim.lsp.Client)
local function start(buffer, ready)
  local root = require("forge.root").of_buffer(buffer)
  if not root then
    return M.tell("open a project's folder first: this is no place for one.", vim.log.levels.ERROR)
  end
  local config = vim.deepcopy(vim.lsp.config[M.NAME])
  if type(config.cmd) == "table" and vim.fn.executable(config.cmd[1]) == 0 then
    local text = ("%s is not on the PATH. :checkhealth forge says how to get it."):format(config.cmd[1])
    return M.tell(text, vim.log.levels.ERROR)
  end
  local before = config.on_init
  config.root_dir = root
  config.on_init = function(client, result)
    if type(before) == "function" then
      before(client, result)
    end
    vim.schedule(function()
      ready(client)
    end)
  end
  vim.lsp.start(config, { bufnr = buffer, attach = false })
end

---Call `ready` with the client, which is started where there is none.
---@param buffer integer
---@param ready fun(client: vim.lsp.Client)
function M.with_client(buffer, ready)
  local client = M.client(buffer)
  if client then
    ready(client)
  else
    start(buffer, ready)
  end
end

---The document of a buffer that the server knows.
---@param buffer integer
---@return { uri: string }?
function M.document(buffer)
  if #vim.lsp.get_clients({ name = M.NAME, bufnr = buffer }) == 0 then
    return nil
  end
  return { uri = vim.uri_from_bufnr(buffer) }
end

---Ask for a command. What fails is told to the person by the server itself.
---@param command string
---@param argument forge.Argument
---@param buffer integer
---@param answered? fun(result: any)
function M.execute(command, argument, buffer, answered)
  M.with_client(buffer, function(client)
    M.execute_by(client, command, argument, buffer, answered)
  end)
end

---@param client vim.lsp.Client
---@param command string
---@param argument forge.Argument
---@param buffer integer
---@param answered? fun(result: any)
function M.execute_by(client, command, argument, buffer, answered)
  local given = next(argument) and argument or vim.empty_dict()
  local params = { command = command, arguments = { given } }
  client:request("workspace/executeCommand", params, function(failure, result)
    if not failure and answered then
      answered(result)
    end
  end, vim.api.nvim_buf_is_valid(buffer) and buffer or 0)
end

---What a command answers within a moment; nil otherwise. For completion.
---@param command string
---@return any
function M.quick(command)
  local client = M.client()
  local params = { command = command, arguments = { vim.empty_dict() } }
  local answer = client and client:request_sync("workspace/executeCommand", params, 1000, 0)
  return answer and answer.result
end

---The lines of a virtual document.
---@param client vim.lsp.Client
---@param uri string
---@param answered fun(lines: string[])
function M.content(client, uri, answered)
  local method = "workspace/textDocumentContent"
  ---@diagnostic disable-next-line: param-type-mismatch
  client:request(method, { uri = uri }, function(failure, result)
    if not failure and result then
      answered(require("forge.text").lines(result.text))
    end
  end)
end

return M
