--- The options: `vim.g.forge`, or what `require("forge").setup` was given.
local M = {}

---@type forge.Options
local DEFAULTS = { live = true, review = true, save_after_accept = false }

---@return table<string, any>
local function given()
  return type(vim.g.forge) == "table" and vim.g.forge or {}
end

---@return forge.Options
function M.get()
  return vim.tbl_extend("force", DEFAULTS, given())
end

---@param more? forge.GivenOptions
function M.set(more)
  vim.g.forge = vim.tbl_extend("force", given(), more or {})
end

---What is wrong with what was given, in sentences.
---@return string[]
function M.wrong()
  local wrong = {}
  if vim.g.forge ~= nil and type(vim.g.forge) ~= "table" then
    table.insert(wrong, "vim.g.forge is no table, and so is passed over.")
  end
  for name, value in vim.spairs(given()) do
    if DEFAULTS[name] == nil then
      table.insert(wrong, ("There is no option %s."):format(name))
    elseif type(value) ~= "boolean" then
      table.insert(wrong, ("The option %s is either true or false."):format(name))
    end
  end
  return wrong
end

return M
