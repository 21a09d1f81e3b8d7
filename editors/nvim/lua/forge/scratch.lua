--- Buffers that are read and thrown away.
local M = {}

---@param name string
---@return integer? buffer
function M.find(name)
  return vim.iter(vim.api.nvim_list_bufs()):find(function(each)
    return vim.api.nvim_buf_get_name(each) == name
  end)
end

---A loaded buffer that nobody edits by hand, without a window.
---@param name string With `://` in it: any other is taken for a file of the working directory.
---@return integer
function M.make(name)
  local buffer = M.find(name)
  if not buffer then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(buffer, name)
  end
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].swapfile = false
  vim.fn.bufload(buffer)
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].modifiable = false
  return buffer
end

---Change a buffer that nobody edits by hand.
---@param buffer integer
---@param change fun()
function M.change(buffer, change)
  vim.bo[buffer].modifiable = true
  change()
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
end

---Replace all lines.
---@param buffer integer
---@param lines string[]
function M.fill(buffer, lines)
  M.change(buffer, function()
    vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  end)
end

---Close the current window, or show something else in the last one.
function M.close()
  if not pcall(vim.api.nvim_win_close, 0, false) then
    vim.cmd.enew()
  end
end

---Have `q` close the window.
---@param buffer integer
function M.close_by_key(buffer)
  vim.keymap.set("n", "q", M.close, { buffer = buffer, desc = "Close" })
end

---Show lines in a window below, which `q` closes.
---@param name string
---@param lines string[]
---@return integer buffer
function M.show(name, lines)
  local buffer = M.make(name)
  M.fill(buffer, #lines > 0 and lines or { "(nothing)" })
  vim.bo[buffer].bufhidden = "wipe"
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  else
    local height = math.max(3, math.min(#lines, math.floor(vim.o.lines / 3)))
    vim.api.nvim_open_win(buffer, true, { split = "below", win = -1, height = height })
  end
  M.close_by_key(buffer)
  return buffer
end

return M
