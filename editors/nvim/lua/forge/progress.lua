--- What is under way, as the server's progress tells it.
local M = {}

local server = require("forge.server")
local text = require("forge.text")

---@class forge.Bar
---@field client vim.lsp.Client
---@field token lsp.ProgressToken
---@field title string
---@field message string
---@field percentage integer

---@type forge.Bar[]
local bars = {}

---@param client vim.lsp.Client
---@param token lsp.ProgressToken
---@return integer?
local function index_of(client, token)
  for index, bar in ipairs(bars) do
    if bar.client == client and bar.token == token then
      return index
    end
  end
end

---@param client vim.lsp.Client
---@param params { token: lsp.ProgressToken, value: table<string, any> }
local function take(client, params)
  local index = index_of(client, params.token)
  local value = params.value
  if value.kind == "begin" and not index then
    table.insert(bars, { client = client, token = params.token, title = value.title, message = "", percentage = 0 })
    index = #bars
  end
  local bar = bars[index]
  if value.kind == "end" and bar then
    table.remove(bars, index)
  elseif bar then
    bar.message = value.message or bar.message
    bar.percentage = value.percentage or bar.percentage
  end
  vim.cmd.redrawstatus({ bang = true })
end

---The newest; those of servers that ended are forgotten.
---@return forge.Bar?
local function newest()
  while #bars > 0 and bars[#bars].client:is_stopped() do
    table.remove(bars)
  end
  return bars[#bars]
end

---@return string
function M.status()
  local bar = newest()
  if bar then
    return text.one_line(("%s %s %d%%"):format(bar.title, bar.message, bar.percentage))
  end
  local waiting = #require("forge.review").hunks(0)
  return waiting == 0 and "" or ("Forge: %s to review"):format(text.count(waiting, "change"))
end

---Cancel the newest run; what was whole by then is kept.
function M.cancel()
  local bar = newest()
  local client = bar and bar.client or server.client()
  if client then
    server.execute_by(client, "forge.cancel", {})
  else
    server.tell("nothing is under way.")
  end
end

function M.attach()
  local group = vim.api.nvim_create_augroup("forge.progress", {})
  vim.api.nvim_create_autocmd("LspProgress", {
    group = group,
    desc = "Keep what forge-lsp has under way",
    callback = function(call)
      local client = vim.lsp.get_client_by_id(call.data.client_id)
      if client and client.name == server.NAME then
        take(client, call.data.params)
      end
    end,
  })
end

return M
