--- Which folder is a workspace.
local M = {}

local MARKERS = { "package.json", ".forge", ".git" }

---The folder of the nearest marker above the buffer's file, else the working directory.
---@param buffer integer
---@return string? root nil where that would be somebody's whole home, or the whole disk
function M.of_buffer(buffer)
  local root = vim.fs.root(buffer, MARKERS)
  if root then
    return root
  end
  local folder = vim.fs.normalize(assert(vim.uv.cwd()))
  if folder == "/" or folder == vim.fs.normalize("~") then
    return nil
  end
  local name = vim.api.nvim_buf_get_name(buffer)
  if name == "" or vim.startswith(vim.fs.normalize(name), folder .. "/") then
    return folder
  end
  return nil
end

return M
