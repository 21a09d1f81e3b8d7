--- Talks with forge-lsp.
local M = {}

M.NAME = "forge"

local START_MS = 15000
local LOOK_EVERY_MS = 20

---@param text string
---@param level? integer
function M.tell(text, level)
  require("forge.messages").tell("Forge: " .. text, level)
end

---The client of the buffer, else any.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  local mine = vim.lsp.get_clients({ name = M.NAME, bufnr = buffer or 0 })
  return mine[1] or vim.lsp.get_clients({ name = M.NAME })[1]
end

---Start the server in the working directory, where no file has started it.
---@param buffer integer
---@return boolean began
local function start(buffer)
  local root = require("forge.root").of_buffer(buffer)
  if not root then
    M.tell("open a project's folder first: this is no place for one.", vim.log.levels.ERROR)
    return false
  end
  local config = vim.deepcopy(vim.lsp.config[M.NAME])
  if type(config.cmd) == "table" and vim.fn.executable(config.cmd[1]) == 0 then
    local text = ("%s is not on the PATH. :checkhealth forge says how to get it."):format(config.cmd[1])
    M.tell(text, vim.log.levels.ERROR)
    return false
  end
  config.root_dir = root
  local is_file = vim.bo[buffer].buftype == "" and vim.api.nvim_buf_get_name(buffer) ~= ""
  return vim.lsp.start(config, { bufnr = buffer, attach = is_file }) ~= nil
end

---Call `ready` once a client is initialized: nothing tells of that for one without a buffer.
---@param ready fun(client: vim.lsp.Client)
local function when_started(ready)
  local timer = assert(vim.uv.new_timer())
  local deadline_ms = vim.uv.now() + START_MS
  timer:start(
    LOOK_EVERY_MS,
    LOOK_EVERY_MS,
    vim.schedule_wrap(function()
      local client = M.client()
      if timer:is_closing() or not (client or vim.uv.now() > deadline_ms) then
        return
      end
      timer:close()
      if client then
        ready(client)
      else
        M.tell("forge-lsp doesn't start. :LspLog may say why.", vim.log.levels.ERROR)
      end
    end)
  )
end

---Call `ready` with the client, which is started where there is none.
---@param buffer integer
---@param ready fun(client: vim.lsp.Client)
function M.with_client(buffer, ready)
  local client = M.client(buffer)
  if client then
    return ready(client)
  end
  local is_starting = #vim.lsp.get_clients({ name = M.NAME, _uninitialized = true }) > 0
  if is_starting or start(buffer) then
    when_started(ready)
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
