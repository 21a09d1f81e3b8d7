--- The options: `vim.g.forge`, or what `require("forge").setup` was given.
local M = {}

---@type forge.Options
local DEFAULTS = { live = true, review = true, save_after_accept = false }

---@return forge.Options
function M.get()
  return vim.tbl_extend("force", DEFAULTS, vim.g.forge or {})
end

---@param given? table<string, any>
function M.set(given)
  vim.g.forge = vim.tbl_extend("force", vim.g.forge or {}, given or {})
end

return M
