--- Which folder is a workspace.
local M = {}

local MARKERS = { ["package.json"] = true, [".forge"] = true, [".git"] = true }

---@param name string
---@return boolean
local function is_marker(name)
  return MARKERS[name] or false
end

---Whether a folder is somebody's whole home, or the whole disk.
---@param folder string
---@return boolean
local function is_too_much(folder)
  return folder == "/" or folder == vim.fs.normalize("~")
end

---The folder of the nearest marker above the buffer's file, else the working directory.
---@param buffer integer
---@return string? root nil where that would be somebody's whole home, or the whole disk
function M.of_buffer(buffer)
  -- By a list of names, the first name would win however far above it is.
  local root = vim.fs.root(buffer, is_marker)
  if root and not is_too_much(root) then
    return root
  end
  local folder = vim.fs.normalize(assert(vim.uv.cwd()))
  if is_too_much(folder) then
    return nil
  end
  local name = vim.api.nvim_buf_get_name(buffer)
  if name == "" or vim.bo[buffer].buftype ~= "" or vim.startswith(vim.fs.normalize(name), folder .. "/") then
    return folder
  end
  return nil
end

return M
