--- What is under way, as the server's progress tells it.
local M = {}

local server = require("forge.server")
local text = require("forge.text")

---@class forge.Bar
---@field token lsp.ProgressToken
---@field title string
---@field message string
---@field percentage integer

---@type forge.Bar[]
local bars = {}

---@param token lsp.ProgressToken
---@return integer?
local function index_of(token)
  for index, bar in ipairs(bars) do
    if bar.token == token then
      return index
    end
  end
end

---@param params { token: lsp.ProgressToken, value: table<string, any> }
local function take(params)
  local index = index_of(params.token)
  local value = params.value
  if value.kind == "end" then
    table.remove(bars, index or #bars + 1)
  elseif value.kind == "begin" and not index then
    table.insert(bars, { token = params.token, title = value.title, message = "", percentage = 0 })
    index = #bars
  end
  local bar = index and bars[index]
  if bar and bar.token == params.token then
    bar.message = value.message or bar.message
    bar.percentage = value.percentage or bar.percentage
  end
  vim.cmd.redrawstatus({ bang = true })
end

---@return string
function M.status()
  local bar = bars[#bars]
  if bar then
    return text.one_line(("%s %s %d%%"):format(bar.title, bar.message, bar.percentage))
  end
  local waiting = #require("forge.review").hunks(0)
  return waiting == 0 and "" or ("Forge: %s to review"):format(text.count(waiting, "change"))
end

---Cancel the newest run; what was whole by then is kept.
function M.cancel()
  if not server.client() then
    return server.tell("nothing is under way.")
  end
  server.execute("forge.cancel", {}, 0)
end

function M.attach()
  local group = vim.api.nvim_create_augroup("forge.progress", {})
  vim.api.nvim_create_autocmd("LspProgress", {
    group = group,
    desc = "Keep what forge-lsp has under way",
    callback = function(call)
      local client = vim.lsp.get_client_by_id(call.data.client_id)
      if client and client.name == server.NAME then
        take(call.data.params)
      end
    end,
  })
  vim.api.nvim_create_autocmd("LspDetach", {
    group = group,
    desc = "Forget what a server that ended had under way",
    callback = function(call)
      local client = vim.lsp.get_client_by_id(call.data.client_id)
      if client and client.name == server.NAME and client:is_stopped() then
        bars = {}
      end
    end,
  })
end

return M
