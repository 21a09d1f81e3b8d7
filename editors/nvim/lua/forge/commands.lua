--- `:Forge <subcommand>`.
local M = {}

local server = require("forge.server")

---@type table<string, forge.Subcommand>
M.SUBCOMMANDS = require("forge.subcommands")

---@return string[]
local function names()
  local all = vim.tbl_keys(M.SUBCOMMANDS)
  table.sort(all)
  return all
end

---@param words string[]
---@return string? name, integer used
local function named(words)
  for used = 2, 1, -1 do
    local name = table.concat(words, " ", 1, math.min(used, #words))
    if #words >= used and M.SUBCOMMANDS[name] then
      return name, used
    end
  end
  return nil, 0
end

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local words = call.fargs
  if #words == 0 then
    local shown = {
      prompt = "Forge",
      format_item = function(name)
        return ("%s – %s"):format(name, M.SUBCOMMANDS[name].help)
      end,
    }
    return vim.ui.select(names(), shown, function(name)
      if name then
        vim.cmd("Forge " .. name)
      end
    end)
  end
  local name, used = named(words)
  if not name then
    local text = ("there is no :Forge %s. See `:help forge-commands`."):format(table.concat(words, " "))
    return server.tell(text, vim.log.levels.ERROR)
  end
  local text = call.args
  for _ = 1, used do
    text = text:gsub("^%s*%S+%s*", "", 1)
  end
  local given = {
    words = vim.list_slice(words, used + 1),
    text = text,
    buffer = vim.api.nvim_get_current_buf(),
    row = vim.api.nvim_win_get_cursor(0)[1] - 1,
    bang = call.bang,
    range = call.range > 0 and {
      start = { line = call.line1 - 1, character = 0 },
      ["end"] = { line = call.line2, character = 0 },
    } or nil,
  }
  local subcommand = M.SUBCOMMANDS[name]
  if subcommand.is_alone then
    return subcommand.run(given)
  end
  -- Only then it is known which documents the server has.
  server.with_client(given.buffer, function()
    subcommand.run(given)
  end)
end

---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  -- Commands may be abbreviated.
  local typed = line:sub(1, position):match("%f[%a]Fo%a*!?%s+(.*)$") or ""
  local words = vim.split(typed:sub(1, #typed - #lead), "%s+", { trimempty = true })
  local offered = {}
  local name = named(words)
  if name then
    offered = M.SUBCOMMANDS[name].complete and M.SUBCOMMANDS[name].complete() or {}
  else
    local beginning = #words > 0 and words[1] .. " " or ""
    for _, each in ipairs(names()) do
      if vim.startswith(each, beginning) then
        local word = each:sub(#beginning + 1):match("^%S+")
        if not vim.list_contains(offered, word) then
          table.insert(offered, word)
        end
      end
    end
  end
  return vim.tbl_filter(function(each)
    return vim.startswith(each, lead)
  end, offered)
end

return M
