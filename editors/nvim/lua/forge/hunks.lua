--- Draws pending hunks: what goes is marked, what comes stands beneath it as virtual lines.
---
--- Extmarks hold them, so they move with what is typed.
local M = {}

local namespace = vim.api.nvim_create_namespace("forge.hunks")

---@type table<integer, table<integer, forge.Hunk>> By buffer, and by the id of the mark.
local drawn = {}

local GROUPS = { ForgeRemoved = "DiffDelete", ForgeAdded = "DiffAdd", ForgeHint = "Comment" }

---@param lines string[]
---@param hunk forge.DiffHunk
---@return string[][][] virtual lines
local function coming(lines, hunk)
  local shown = {}
  for index = hunk.afterStart + 1, hunk.afterStart + hunk.afterCount do
    local line = (lines[index] or ""):gsub("[%c]", " ")
    table.insert(shown, { { line == "" and " " or line, "ForgeAdded" } })
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

---@param buffer integer
---@param change_set_id string
---@param file forge.DiffFile
---@param lines string[] What the file is to become.
function M.draw(buffer, change_set_id, file, lines)
  local last_row = vim.api.nvim_buf_line_count(buffer) - 1
  for _, hunk in ipairs(file.hunks) do
    local first = math.min(hunk.firstLine, last_row)
    local last = math.min(hunk.lastLine, last_row)
    local virtual = coming(lines, hunk)
    local options = { virt_text = { { "forge", "ForgeHint" } }, virt_text_pos = "right_align", strict = false }
    local place, is_above = last, false
    if hunk.beforeCount > 0 then
      options.end_row, options.end_col = last + 1, 0
      options.hl_group, options.hl_eol = "ForgeRemoved", true
    elseif hunk.afterStart + hunk.afterCount < #lines then
      -- The server names the line below; above it is where the new ones come.
      place, is_above = math.max(first - 1, 0), first == 0
      options.end_row, options.end_col = first, 0
      first = place
    end
    local mark = vim.api.nvim_buf_set_extmark(buffer, namespace, first, 0, options)
    if #virtual > 0 then
      vim.api.nvim_buf_set_extmark(buffer, namespace, place, 0, {
        virt_lines = virtual,
        virt_lines_above = is_above,
      })
    end
    if is_above then
      scroll_up(buffer, #virtual)
    end
    drawn[buffer] = drawn[buffer] or {}
    drawn[buffer][mark] = {
      change_set_id = change_set_id,
      path = file.path,
      hunk_id = hunk.hunkId,
      mark = mark,
    }
  end
end

---@param buffer integer
function M.clear(buffer)
  drawn[buffer] = nil
  if vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
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
      if details.hl_group then
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
