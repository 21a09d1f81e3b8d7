--- Talks with forge-lsp.
local M = {}

local roots = require("forge.root")

M.NAME = "forge"

local START_MS = 15000
local LOOK_EVERY_MS = 20

---@param text string
---@param level? integer
function M.tell(text, level)
  require("forge.messages").tell("Forge: " .. text, level)
end

---The buffer, or the current one where it has been wiped meanwhile.
---@param buffer integer
---@return integer
local function living(buffer)
  local is_living = buffer ~= 0 and vim.api.nvim_buf_is_valid(buffer)
  return is_living and buffer or vim.api.nvim_get_current_buf()
end

---@param buffer integer
---@return boolean
local function is_file(buffer)
  return vim.bo[buffer].buftype == "" and vim.api.nvim_buf_get_name(buffer) ~= ""
end

---The client of a buffer. What is no file of a workspace is asked of the working directory's, else
---of any.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  buffer = living(buffer or 0)
  local own = vim.lsp.get_clients({ name = M.NAME, bufnr = buffer })[1]
  local root = not own and roots.of_buffer(buffer) or nil
  if own or (root and is_file(buffer)) then
    return own
  end
  local all = vim.lsp.get_clients({ name = M.NAME })
  local here = vim.iter(all):find(function(client)
    return client.root_dir == root
  end)
  return here or all[1]
end

---Start the server for a buffer that no file's type has started it for, or find the one that starts.
---@param buffer integer
---@return integer? id Of its client.
local function start(buffer)
  local root = roots.of_buffer(buffer)
  if not root then
    return M.tell("open a project's folder first: this is no place for one.", vim.log.levels.ERROR)
  end
  local config = vim.deepcopy(vim.lsp.config[M.NAME])
  if type(config.cmd) == "table" and vim.fn.executable(config.cmd[1]) == 0 then
    local text = ("%s is not on the PATH. :checkhealth forge says how to get it."):format(config.cmd[1])
    return M.tell(text, vim.log.levels.ERROR)
  end
  config.root_dir = root
  return vim.lsp.start(config, { bufnr = buffer, attach = is_file(buffer) })
end

---Call `ready` once a client is initialized: nothing tells of that for one without a buffer.
---@param id integer
---@param ready fun(client: vim.lsp.Client)
local function when_started(id, ready)
  local timer = assert(vim.uv.new_timer())
  local deadline_ms = vim.uv.now() + START_MS
  timer:start(
    LOOK_EVERY_MS,
    LOOK_EVERY_MS,
    vim.schedule_wrap(function()
      local client = vim.lsp.get_client_by_id(id)
      local is_waiting = client and not client.initialized and vim.uv.now() < deadline_ms
      if timer:is_closing() or is_waiting then
        return
      end
      timer:close()
      if client and client.initialized then
        ready(client)
      else
        M.tell("forge-lsp doesn't start. :LspLog may say why.", vim.log.levels.ERROR)
      end
    end)
  )
end

---Call `ready` with the client of a buffer, which is started where there is none.
---@param buffer integer
---@param ready fun(client: vim.lsp.Client)
function M.with_client(buffer, ready)
  local client = M.client(buffer)
  if client then
    return ready(client)
  end
  local id = start(living(buffer))
  if id then
    when_started(id, ready)
  end
end

---The document of a buffer that the server knows.
---@param buffer integer
---@return { uri: string }?
function M.document(buffer)
  if not vim.api.nvim_buf_is_valid(buffer) or #vim.lsp.get_clients({ name = M.NAME, bufnr = buffer }) == 0 then
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
    M.execute_by(client, command, argument, answered)
  end)
end

---@param command string
---@param argument forge.Argument
---@return { command: string, arguments: forge.Argument[] }
local function params_of(command, argument)
  return { command = command, arguments = { next(argument) and argument or vim.empty_dict() } }
end

---What was typed so far, in whichever buffer, is told to the server first.
---@param client vim.lsp.Client
---@param command string
---@param argument forge.Argument
---@param answered? fun(result: any)
function M.execute_by(client, command, argument, answered)
  local is_sent = client:request("workspace/executeCommand", params_of(command, argument), function(failure, result)
    if not failure and answered then
      answered(result)
    end
  end)
  if not is_sent then
    M.tell("the server has ended. Try again: that starts another.", vim.log.levels.ERROR)
  end
end

---What a command answers in time, or why it doesn't. Nothing else happens meanwhile.
---@param client vim.lsp.Client
---@param command string
---@param argument forge.Argument
---@param timeout_ms integer
---@return any result, string? failure
function M.answer(client, command, argument, timeout_ms)
  local answer, failure = client:request_sync("workspace/executeCommand", params_of(command, argument), timeout_ms)
  if answer and answer.result then
    return answer.result
  end
  return nil, failure or (answer and answer.err and answer.err.message) or "no answer"
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
