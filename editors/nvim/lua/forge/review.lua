--- What waits for review in the buffers, and deciding on it.
local M = {}

local hunks = require("forge.hunks")
local options = require("forge.options")
local server = require("forge.server")

local LATER_MS = 150

---@type table<integer, integer> How often a buffer was looked at: older answers are passed over.
local looked = {}

---@param client vim.lsp.Client
---@param buffer integer
---@param change_set_id string
---@param path string
---@param answered fun(file: forge.DiffFile, lines: string[])
local function fetch(client, buffer, change_set_id, path, answered)
  local argument = {
    changeSetId = change_set_id,
    path = path,
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
  }
  server.execute_by(client, "forge.review.diff", argument, buffer, function(result)
    local file = result.files and result.files[1]
    if file and type(file.afterUri) == "string" then
      server.content(client, file.afterUri, function(lines)
        answered(file, lines)
      end)
    end
  end)
end

---@param lenses lsp.CodeLens[]
---@return table<string, string> paths By change set.
local function waiting_in(lenses)
  local paths = {}
  for _, lens in ipairs(lenses) do
    if lens.command and lens.command.command == "forge.review.accept" then
      local argument = lens.command.arguments[1]
      paths[argument.changeSetId] = argument.path
    end
  end
  return paths
end

---@param client vim.lsp.Client
---@param buffer integer
local function look(client, buffer)
  local number = (looked[buffer] or 0) + 1
  looked[buffer] = number
  local tick = vim.api.nvim_buf_get_changedtick(buffer)

  ---Call `go` unless the buffer was looked at again, or typed into: then look again.
  ---@param go fun()
  local function if_current(go)
    if looked[buffer] ~= number or not vim.api.nvim_buf_is_loaded(buffer) then
      return
    end
    if vim.api.nvim_buf_get_changedtick(buffer) == tick then
      return go()
    end
    vim.defer_fn(function()
      if looked[buffer] == number then
        M.refresh(client, buffer)
      end
    end, LATER_MS)
  end

  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
  client:request("textDocument/codeLens", params, function(_, lenses)
    local waiting = waiting_in(lenses or {})
    local is_first = true
    if not next(waiting) then
      return if_current(function()
        hunks.clear(buffer)
      end)
    end
    for change_set_id, path in pairs(waiting) do
      fetch(client, buffer, change_set_id, path, function(file, lines)
        if_current(function()
          if is_first then
            hunks.clear(buffer)
            is_first = false
          end
          hunks.draw(buffer, change_set_id, file, lines)
        end)
      end)
    end
  end, buffer)
end

---Draw anew what waits in a buffer.
---@param client vim.lsp.Client
---@param buffer integer
function M.refresh(client, buffer)
  if options.get().review and vim.api.nvim_buf_is_loaded(buffer) then
    look(client, buffer)
  end
end

---@param client_id integer
function M.refresh_all(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  for buffer in pairs(client and client.attached_buffers or {}) do
    M.refresh(assert(client), buffer)
    if #vim.lsp.codelens.get(buffer) > 0 then
      vim.lsp.codelens.refresh({ bufnr = buffer })
    end
  end
end

---@param buffer integer
---@return forge.PlacedHunk[]
function M.hunks(buffer)
  return hunks.placed(buffer)
end

---@return forge.PlacedHunk?
local function at_cursor()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  return vim.iter(hunks.placed(0)):find(function(hunk)
    return hunk.first <= row and row <= hunk.last
  end)
end

---@param direction 1|-1
function M.go(direction)
  local placed = hunks.placed(0)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local count = #placed
  for index = direction > 0 and 1 or count, direction > 0 and count or 1, direction do
    local first = placed[index].first
    if (first - row) * direction > 0 then
      vim.cmd("normal! m'")
      return vim.api.nvim_win_set_cursor(0, { first + 1, 0 })
    end
  end
  server.tell(count == 0 and "nothing waits for review here." or "no more changes in this file.")
end

---Accept or reject the change at the cursor, those of the file, or all.
---@param verb "accept"|"reject"
---@param scope "hunk"|"file"|"all"
---@param buffer integer
function M.decide(verb, scope, buffer)
  local command, document = "forge.review." .. verb, server.document(buffer)
  if scope == "all" then
    return server.execute(command, { textDocument = document }, buffer)
  end
  if scope == "hunk" then
    local hunk = at_cursor()
    if not hunk then
      return server.tell(("no change at the cursor. `:Forge %s all` takes all of them."):format(verb))
    end
    return server.execute(command, {
      changeSetId = hunk.change_set_id,
      path = hunk.path,
      hunkId = hunk.hunk_id,
      textDocument = document,
    }, buffer)
  end
  local asked = {}
  for _, hunk in ipairs(hunks.placed(buffer)) do
    if not asked[hunk.change_set_id] then
      asked[hunk.change_set_id] = true
      local argument = { changeSetId = hunk.change_set_id, path = hunk.path, textDocument = document }
      server.execute(command, argument, buffer)
    end
  end
  if not next(asked) then
    server.tell("nothing waits for review in this file.")
  end
end

function M.attach()
  hunks.define_highlights()
  local group = vim.api.nvim_create_augroup("forge.review", {})
  vim.api.nvim_create_autocmd("ColorScheme", {
    group = group,
    desc = "Keep the colours of changes",
    callback = hunks.define_highlights,
  })
  vim.api.nvim_create_autocmd("LspAttach", {
    group = group,
    desc = "Draw what waits for review",
    callback = function(call)
      local client = vim.lsp.get_client_by_id(call.data.client_id)
      if client and client.name == server.NAME then
        M.refresh(client, call.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd({ "LspDetach", "BufUnload" }, {
    group = group,
    desc = "Forget what waited for review",
    callback = function(call)
      local client = call.data and vim.lsp.get_client_by_id(call.data.client_id)
      if call.event == "BufUnload" or (client and client.name == server.NAME) then
        hunks.clear(call.buf)
        looked[call.buf] = nil
      end
    end,
  })
end

return M
