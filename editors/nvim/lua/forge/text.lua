--- Text that others wrote, as buffers hold it.
local M = {}

---@param text string
---@return string[] lines without their endings; a last line that ends is no empty one more
function M.lines(text)
  local lines = vim.split((text:gsub("\r\n", "\n")), "\n", { plain = true })
  if #lines > 1 and lines[#lines] == "" then
    table.remove(lines)
  end
  return lines
end

---Text on one line, for messages and lists.
---@param text? string
---@return string
function M.one_line(text)
  return vim.trim(((text or ""):gsub("[%c%s]+", " ")))
end

---As much of a line as has room.
---@param line string
---@param cells integer
---@return string
function M.within(line, cells)
  return vim.fn.printf(("%%.%dS"):format(math.max(0, cells)), line)
end

---@param path string
---@return string filetype empty where nobody knows it
function M.filetype(path)
  -- Some of its rules want to see a buffer, and fail without one.
  local is_known, filetype = pcall(vim.filetype.match, { filename = path })
  return is_known and filetype or ""
end

---@param count integer
---@param noun string
---@return string
function M.count(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

return M
