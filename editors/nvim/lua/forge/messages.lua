--- What the person is told. A line that is too long for the screen would stop them in their typing
--- with a prompt, so it is cut there, and `:Forge messages` has the whole.
local M = {}

local texts = require("forge.text")

local MOST_KEPT = 200

---The newest last.
---@type string[]
M.all = {}

---@type table<integer, integer>
local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }

---@param line string
---@return string
local function cut(line)
  local most = vim.v.echospace
  if vim.fn.strdisplaywidth(line) <= most then
    return line
  end
  local hint = "… (:Forge messages)"
  return texts.within(line, most - vim.fn.strdisplaywidth(hint)) .. hint
end

---Whether nobody has put a `vim.notify` of their own, which may have room, in its place.
---@return boolean
local function is_built_in()
  local notify = vim.notify
  return type(notify) == "function" and vim.startswith(debug.getinfo(notify, "S").source, "@vim/")
end

---@param text string
---@param level? integer
function M.tell(text, level)
  table.insert(M.all, text)
  if #M.all > MOST_KEPT then
    table.remove(M.all, 1)
  end
  vim.notify(is_built_in() and cut(texts.one_line(text)) or text, level or vim.log.levels.INFO)
end

---Take a message from the server.
---@param params lsp.ShowMessageParams
function M.take(params)
  M.tell(params.message, LEVELS[params.type])
end

function M.open()
  local lines = {}
  for _, text in ipairs(M.all) do
    vim.list_extend(lines, vim.split(text, "\n", { plain = true }))
  end
  require("forge.scratch").show("forge://messages", lines)
end

return M
