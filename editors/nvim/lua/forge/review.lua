--- What waits for review in the buffers, and deciding on it.
local M = {}

local hunks = require("forge.hunks")
local server = require("forge.server")

local LATER_MS = 150

local looks = 0

---@type table<integer, integer> The last look at each buffer: the answers of older ones are passed over.
local newest = {}

---Clients that know what an earlier server left.
---@type table<integer, true>
local caught_up = {}

---Call `answered` with a file of a change set and what it is to become, if that waits for review still.
---@param client vim.lsp.Client
---@param buffer integer
---@param waiting forge.Waiting
---@param answered fun(file: forge.DiffFile, lines: string[])
local function fetch(client, buffer, waiting, answered)
  local argument = {
    changeSetId = waiting.changeSetId,
    path = waiting.path,
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    quiet = true,
  }
  server.execute_by(client, "forge.review.diff", argument, function(result)
    local file = result.files[1]
    if file and type(file.afterUri) == "string" then
      server.content(client, file.afterUri, function(lines)
        answered(file, lines)
      end)
    end
  end)
end

---@param lenses lsp.CodeLens[]
---@return table<string, forge.Waiting> waiting By change set.
local function waiting_in(lenses)
  local waiting = {}
  for _, lens in ipairs(lenses) do
    local command = lens.command
    if command and command.command == "forge.review.accept" then
      local argument = assert(command.arguments)[1] --[[@as forge.Waiting]]
      waiting[argument.changeSetId] = argument
    end
  end
  return waiting
end

---Place anew what waits in a buffer.
---@param client vim.lsp.Client
---@param buffer integer
function M.refresh(client, buffer)
  if not vim.api.nvim_buf_is_loaded(buffer) then
    return
  end
  looks = looks + 1
  local look, tick = looks, vim.api.nvim_buf_get_changedtick(buffer)
  newest[buffer] = look

  ---Call `go` unless the buffer was looked at again, or typed into: then look again.
  ---@param go fun()
  local function if_current(go)
    if newest[buffer] ~= look or not vim.api.nvim_buf_is_loaded(buffer) then
      return
    end
    if vim.api.nvim_buf_get_changedtick(buffer) == tick then
      return go()
    end
    vim.defer_fn(function()
      if newest[buffer] == look then
        M.refresh(client, buffer)
      end
    end, LATER_MS)
  end

  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
  client:request("textDocument/codeLens", params, function(failure, lenses)
    if failure then
      return
    end
    local waiting = waiting_in(lenses or {})
    if_current(function()
      hunks.keep(buffer, waiting)
      vim.cmd.redrawstatus({ bang = true })
      for change_set_id, each in pairs(waiting) do
        fetch(client, buffer, each, function(file, lines)
          if_current(function()
            hunks.draw(buffer, change_set_id, file, lines)
            vim.cmd.redrawstatus({ bang = true })
          end)
        end)
      end
    end)
  end, buffer)
end

---@param client vim.lsp.Client
function M.refresh_all(client)
  for buffer in pairs(client.attached_buffers) do
    M.refresh(client, buffer)
  end
end

---The server reads what an earlier one left once it is asked for it, and then has all buffers refreshed.
---@param client vim.lsp.Client
---@param buffer integer
local function catch_up(client, buffer)
  if not caught_up[client.id] then
    caught_up[client.id] = true
    local argument = { textDocument = { uri = vim.uri_from_bufnr(buffer) }, quiet = true }
    server.execute_by(client, "forge.review.diff", argument)
  end
end

---@param buffer integer
---@return forge.PlacedHunk[]
function M.hunks(buffer)
  return hunks.placed(buffer)
end

---@param buffer integer
---@param row integer
---@return forge.PlacedHunk?
local function at_row(buffer, row)
  return vim.iter(hunks.placed(buffer)):find(function(hunk)
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

---Accept or reject the change at a row, those of the file, or all.
---@param verb "accept"|"reject"
---@param scope "hunk"|"file"|"all"
---@param buffer integer
---@param row integer
function M.decide(verb, scope, buffer, row)
  local command, document = "forge.review." .. verb, server.document(buffer)
  if scope == "all" then
    return server.execute(command, { textDocument = document }, buffer)
  end
  if scope == "hunk" then
    local hunk = at_row(buffer, row)
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
        catch_up(client, call.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd("FileChangedShellPost", {
    group = group,
    desc = "Draw anew what waits for review in what was read again",
    callback = function(call)
      local client = vim.lsp.get_clients({ name = server.NAME, bufnr = call.buf })[1]
      if client then
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
        newest[call.buf] = nil
      end
    end,
  })
end

return M
