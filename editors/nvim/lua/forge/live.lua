--- The text that a run writes, as it comes, in a buffer beside the code.
local M = {}

local options = require("forge.options")
local scratch = require("forge.scratch")
local server = require("forge.server")
local text = require("forge.text")

local NAME = "forge://live"
local MOST_LINES = 5000
local MOST_BYTES = 2000000
local REPLY = "reply.md"
local WIDE_COLUMNS = 120

---A file that a run has begun to write.
---@class forge.Writing
---@field pieces string[]
---@field bytes integer
---@field has_body boolean Its body comes by itself; else the reply is all that there is to show.
---@field is_within_line boolean The rest of the line, which the reply was in, is none of it.

---@class forge.Shown
---@field run_id string
---@field client vim.lsp.Client
---@field path? string
---@field writing table<string, forge.Writing>
---@field was_opened boolean
---@field has_ended boolean

---@type forge.Shown?
local shown

---@type integer?
local made

---@type table<string, boolean>
local begun = {}

---End the run that is shown, or else the newest.
local function cancel()
  if shown and not shown.has_ended and not shown.client:is_stopped() then
    server.execute_by(shown.client, "forge.cancel", { runId = shown.run_id })
  else
    require("forge.progress").cancel()
  end
end

---@return integer buffer
local function buffer_of_live()
  if made and vim.api.nvim_buf_is_loaded(made) then
    return made
  end
  made = scratch.make(NAME)
  vim.bo[made].bufhidden = "hide"
  vim.b[made].forge_live = ""
  scratch.close_by_key(made)
  vim.keymap.set("n", "<C-c>", cancel, { buffer = made, desc = "Cancel the run" })
  return made
end

---Those who stand on the last line, and those who look from elsewhere, stay at the end.
---@param buffer integer
---@param was_last integer
local function follow(buffer, was_last)
  local last = vim.api.nvim_buf_line_count(buffer)
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    local is_here = window == vim.api.nvim_get_current_win()
    if not is_here or vim.api.nvim_win_get_cursor(window)[1] >= was_last then
      vim.api.nvim_win_set_cursor(window, { last, 0 })
    end
  end
end

---@param buffer integer
---@param all string
local function fill(buffer, all)
  local lines = text.lines(all)
  if vim.endswith(all, "\n") then
    table.insert(lines, "")
  end
  scratch.fill(buffer, vim.list_slice(lines, math.max(1, #lines - MOST_LINES + 1)))
  follow(buffer, 1)
end

---@param buffer integer
---@param piece string
local function append(buffer, piece)
  local count = vim.api.nvim_buf_line_count(buffer)
  local over = 0
  scratch.change(buffer, function()
    vim.api.nvim_buf_set_text(buffer, -1, -1, -1, -1, vim.split(piece, "\n", { plain = true }))
    over = math.max(0, vim.api.nvim_buf_line_count(buffer) - MOST_LINES)
    if over > 0 then
      vim.api.nvim_buf_set_lines(buffer, 0, over, true, {})
    end
  end)
  follow(buffer, math.max(1, count - over))
end

---@param buffer integer
---@param run forge.Shown
local function open_once(buffer, run)
  -- No window can be opened from within the command-line window.
  if run.was_opened or vim.fn.getcmdwintype() ~= "" then
    return
  end
  run.was_opened = true
  if options.get().live and #vim.fn.win_findbuf(buffer) == 0 then
    -- Where no room is left, there is still `:Forge live`.
    pcall(M.open_window, buffer, false)
  end
end

---@param run forge.Shown
---@param path string
local function show(run, path)
  local buffer = buffer_of_live()
  run.path = path
  vim.b[buffer].forge_live = text.one_line(path)
  fill(buffer, table.concat(run.writing[path].pieces))
  open_once(buffer, run)
  local filetype = text.filetype(path)
  if vim.bo[buffer].filetype ~= filetype then
    vim.bo[buffer].filetype = filetype
  end
end

---@param run forge.Shown
---@param path string
---@param piece string
local function write(run, path, piece)
  local writing = run.writing[path]
  writing.bytes = writing.bytes + #piece
  if writing.bytes > MOST_BYTES then
    return
  end
  table.insert(writing.pieces, piece)
  if run.path == path then
    append(buffer_of_live(), piece)
  end
end

---@param run forge.Shown
---@param path string
---@return forge.Writing
local function begin(run, path)
  if not run.writing[path] then
    run.writing[path] = { pieces = {}, bytes = 0, has_body = false, is_within_line = false }
  end
  local is_open = run.path and run.path ~= REPLY and run.writing[run.path]
  if run.path ~= path and not is_open then
    show(run, path)
  end
  return run.writing[path]
end

---@type table<string, fun(run: forge.Shown, event: table<string, any>)>
local TAKE = {
  text_delta = function(run, event)
    local path = run.path or REPLY
    local writing = run.writing[path]
    if not writing then
      -- What is said behind the last file would take its place.
      if path ~= REPLY then
        return
      end
      writing = begin(run, path)
    end
    local piece = event.text
    if writing.is_within_line then
      local ending = piece:find("\n", 1, true)
      writing.is_within_line = ending == nil
      piece = ending and piece:sub(ending + 1) or ""
    end
    if not writing.has_body then
      write(run, path, piece)
    end
  end,
  file_started = function(run, event)
    local writing = begin(run, event.path)
    writing.has_body = event.action == "create"
    writing.is_within_line = true
  end,
  file_delta = function(run, event)
    local writing = begin(run, event.path)
    if not writing.has_body then
      writing.has_body, writing.pieces, writing.bytes = true, {}, 0
      if run.path == event.path then
        fill(buffer_of_live(), "")
      end
    end
    write(run, event.path, event.text)
  end,
  file_finished = function(run, event)
    if run.path == event.path and type(event.content) == "string" then
      fill(buffer_of_live(), event.content)
    end
    run.writing[event.path] = nil
  end,
  file_dropped = function(run, event)
    run.writing[event.path] = nil
  end,
}

---@param run_id string
---@param event table<string, any>
---@param client vim.lsp.Client
function M.take(run_id, event, client)
  if event.type == "run_started" then
    begun[run_id] = true
  elseif event.type == "run_finished" then
    begun[run_id] = nil
    if shown and shown.run_id == run_id then
      shown.has_ended = true
    end
  end
  local taker = TAKE[event.type]
  if not taker then
    return
  end
  if begun[run_id] and not (shown and shown.run_id == run_id) then
    -- The newest that writes is shown; another that goes on meanwhile isn't shown again.
    begun[run_id] = nil
    shown = { run_id = run_id, client = client, writing = {}, was_opened = false, has_ended = false }
  end
  if shown and shown.run_id == run_id and not shown.has_ended then
    taker(shown, event)
  end
end

---@param buffer integer
---@param enter boolean
---@return integer window
function M.open_window(buffer, enter)
  local split = vim.o.columns >= WIDE_COLUMNS and "right" or "below"
  local window = vim.api.nvim_open_win(buffer, enter, { split = split, win = -1 })
  vim.wo[window][0].winbar = "%{'Forge: ' .. get(b:, 'forge_live', '')}"
  vim.wo[window][0].wrap = false
  return window
end

---Show the live text; go there if it is shown already.
function M.open()
  local buffer = buffer_of_live()
  local window = vim.fn.bufwinid(buffer)
  if window == -1 then
    M.open_window(buffer, true)
  else
    vim.api.nvim_set_current_win(window)
  end
end

return M
