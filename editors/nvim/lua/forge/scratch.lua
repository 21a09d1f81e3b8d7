--- Buffers that are read and thrown away.
local M = {}

---A buffer that nobody edits by hand, without a window.
---@param name string With `://` in it: any other is taken for a file of the working directory.
---@return integer
function M.make(name)
  local buffer = vim.iter(vim.api.nvim_list_bufs()):find(function(each)
    return vim.api.nvim_buf_get_name(each) == name
  end)
  if not buffer then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(buffer, name)
  end
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].modifiable = false
  return buffer
end

---Replace the lines from `first` to `last`, as nvim_buf_set_lines counts them.
---@param buffer integer
---@param first integer
---@param last integer
---@param lines string[]
function M.write(buffer, first, last, lines)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, first, last, true, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
end

---Show lines in a window below, which `q` closes.
---@param name string
---@param lines string[]
---@param filetype? string
---@return integer buffer
function M.show(name, lines, filetype)
  local buffer = M.make(name)
  M.write(buffer, 0, -1, #lines > 0 and lines or { "(nothing)" })
  vim.bo[buffer].bufhidden = "wipe"
  if filetype then
    vim.bo[buffer].filetype = filetype
  end
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  else
    local height = math.max(3, math.min(#lines, math.floor(vim.o.lines / 3)))
    vim.api.nvim_open_win(buffer, true, { split = "below", win = -1, height = height })
  end
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buffer, desc = "Close" })
  return buffer
end

return M
