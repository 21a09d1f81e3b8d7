--- Draws pending hunks: what goes is marked, what comes stands beneath it as virtual lines.
---
--- Extmarks hold them, so they move with what is typed.
local M = {}

local options = require("forge.options")
local text = require("forge.text")

local MOST_LINES = 400

local namespace = vim.api.nvim_create_namespace("forge.hunks")

---@type table<integer, table<integer, forge.Hunk>> By buffer, and by the id of the mark.
local drawn = {}

local GROUPS = { ForgeRemoved = "DiffDelete", ForgeAdded = "DiffAdd", ForgeHint = "Comment" }

---@param lines string[]
---@param hunk forge.DiffHunk
---@param tab string What stands for a tab.
---@return [string, string][][] virtual lines
local function coming(lines, hunk, tab)
  local shown = {}
  for index = hunk.afterStart + 1, hunk.afterStart + math.min(hunk.afterCount, MOST_LINES) do
    local line = (lines[index] or ""):gsub("\t", tab):gsub("%c", " ")
    table.insert(shown, { { line == "" and " " or line, "ForgeAdded" } })
  end
  if hunk.afterCount > MOST_LINES then
    local more = text.count(hunk.afterCount - MOST_LINES, "more line")
    table.insert(shown, { { ("… %s, see :Forge diff"):format(more), "ForgeHint" } })
  end
  return shown
end

---Lines above the first one are filler, which Neovim scrolls out of sight.
---@param buffer integer
---@param count integer
local function scroll_up(buffer, count)
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    vim.api.nvim_win_call(window, function()
      if vim.fn.line("w0") == 1 then
        vim.fn.winrestview({ topfill = count })
      end
    end)
  end
end

---Mark where a hunk is: over the lines that go, or on the one that new ones come next to.
---@param buffer integer
---@param hunk forge.DiffHunk
---@param lines string[]
---@return vim.api.keyset.set_extmark spanning, integer first, integer place, boolean is_above
local function spanned(buffer, hunk, lines)
  local last_row = vim.api.nvim_buf_line_count(buffer) - 1
  local first, last = math.min(hunk.firstLine, last_row), math.min(hunk.lastLine, last_row)
  if hunk.beforeCount > 0 then
    return { end_row = last + 1, end_col = 0, strict = false }, first, last, false
  end
  if hunk.afterStart + hunk.afterCount < #lines then
    -- The server names the line below; above it is where the new ones come.
    local place = math.max(first - 1, 0)
    return { end_row = first, end_col = 0 }, place, place, first == 0
  end
  return {}, first, last, false
end

---Draw one change of a file in the place of what was drawn of it before.
---@param buffer integer
---@param change_set_id string
---@param file forge.DiffFile
---@param lines string[] What the file is to become.
function M.draw(buffer, change_set_id, file, lines)
  M.clear(buffer, change_set_id)
  drawn[buffer] = drawn[buffer] or {}
  local tab = (" "):rep(vim.bo[buffer].tabstop)
  for _, hunk in ipairs(file.hunks) do
    local marks = {}
    local spanning, first, place, is_above = spanned(buffer, hunk, lines)
    local virtual = options.get().review and coming(lines, hunk, tab) or {}
    if options.get().review then
      spanning.virt_text, spanning.virt_text_pos = { { "forge", "ForgeHint" } }, "right_align"
      spanning.hl_group, spanning.hl_eol = hunk.beforeCount > 0 and "ForgeRemoved" or nil, true
    end
    local mark = vim.api.nvim_buf_set_extmark(buffer, namespace, first, 0, spanning)
    table.insert(marks, mark)
    if #virtual > 0 then
      local below = { virt_lines = virtual, virt_lines_above = is_above }
      table.insert(marks, vim.api.nvim_buf_set_extmark(buffer, namespace, place, 0, below))
    end
    if is_above and #virtual > 0 then
      scroll_up(buffer, #virtual)
    end
    drawn[buffer][mark] = {
      change_set_id = change_set_id,
      path = file.path,
      hunk_id = hunk.hunkId,
      is_replacing = hunk.beforeCount > 0,
      marks = marks,
    }
  end
end

---Forget what was drawn, of one change or of all.
---@param buffer integer
---@param change_set_id? string
function M.clear(buffer, change_set_id)
  local is_valid = vim.api.nvim_buf_is_valid(buffer)
  for mark, hunk in pairs(drawn[buffer] or {}) do
    if change_set_id == nil or hunk.change_set_id == change_set_id then
      drawn[buffer][mark] = nil
      for _, each in ipairs(is_valid and hunk.marks or {}) do
        vim.api.nvim_buf_del_extmark(buffer, namespace, each)
      end
    end
  end
  if not next(drawn[buffer] or {}) then
    drawn[buffer] = nil
  end
end

---Forget all but these changes.
---@param buffer integer
---@param waiting table<string, forge.Waiting> By change set.
function M.keep(buffer, waiting)
  for _, hunk in pairs(drawn[buffer] or {}) do
    if not waiting[hunk.change_set_id] then
      M.clear(buffer, hunk.change_set_id)
    end
  end
end

---The hunks of a buffer from the top, where they are now.
---@param buffer integer
---@return forge.PlacedHunk[]
function M.placed(buffer)
  local known = drawn[buffer == 0 and vim.api.nvim_get_current_buf() or buffer] or {}
  if not next(known) then
    return {}
  end
  local placed = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buffer, namespace, 0, -1, { details = true })) do
    local hunk, details = known[mark[1]], mark[4] or {}
    if hunk then
      local first, last = mark[2], details.end_row or mark[2]
      if hunk.is_replacing then
        last = math.max(first, last - 1)
      end
      table.insert(placed, vim.tbl_extend("error", { first = first, last = last }, hunk))
    end
  end
  return placed
end

function M.define_highlights()
  for group, link in pairs(GROUPS) do
    vim.api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

return M
