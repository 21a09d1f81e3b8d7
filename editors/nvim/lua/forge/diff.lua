--- A pending change in a tab of its own, before and after in diff mode.
local M = {}

local scratch = require("forge.scratch")
local server = require("forge.server")
local text = require("forge.text")

---@class forge.DiffTab
---@field client vim.lsp.Client
---@field files forge.DiffFile[]
---@field index integer
---@field windows [integer, integer]

---@param uri string
---@return string
local function name_of(uri)
  return (uri:gsub("^forge:/+", "forge://"))
end

---@param tab forge.DiffTab
---@param step integer
local function turn(tab, step)
  tab.index = (tab.index + step - 1) % #tab.files + 1
  M.fill(tab)
end

local function close()
  if not pcall(vim.cmd.tabclose) then
    vim.cmd("enew | only")
  end
end

---@param tab forge.DiffTab
---@param window integer
---@param uri string
---@param side string
local function show(tab, window, uri, side)
  local file = tab.files[tab.index]
  server.content(tab.client, uri, function(lines)
    if not vim.api.nvim_win_is_valid(window) or tab.files[tab.index] ~= file then
      return
    end
    local buffer = scratch.make(name_of(uri))
    vim.bo[buffer].bufhidden = "wipe"
    scratch.fill(buffer, lines)
    vim.api.nvim_win_set_buf(window, buffer)
    vim.bo[buffer].filetype = text.filetype(file.path)
    vim.b[buffer].forge_diff = ("%s %s (%d/%d)"):format(side, text.one_line(file.path), tab.index, #tab.files)
    vim.wo[window][0].winbar = "%{get(b:, 'forge_diff', '')}"
    vim.api.nvim_win_call(window, function()
      vim.cmd.diffthis()
    end)
    for key, step in pairs({ ["]f"] = 1, ["[f"] = -1 }) do
      vim.keymap.set("n", key, function()
        turn(tab, step)
      end, { buffer = buffer, desc = "Another file of the change" })
    end
    vim.keymap.set("n", "q", close, { buffer = buffer, desc = "Close" })
  end)
end

---@param tab forge.DiffTab
function M.fill(tab)
  local file = tab.files[tab.index]
  for index, side in ipairs({ "before", "after" }) do
    local window = tab.windows[index]
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_call(window, function()
        vim.cmd.diffoff()
      end)
      show(tab, window, file[side .. "Uri"], side)
    end
  end
end

---Read a document anew that is another now, where it is shown.
---@param client vim.lsp.Client
---@param uri string
function M.refresh(client, uri)
  local buffer = scratch.find(name_of(uri))
  if buffer then
    server.content(client, uri, function(lines)
      if vim.api.nvim_buf_is_loaded(buffer) then
        scratch.fill(buffer, lines)
      end
    end)
  end
end

---Draw what `forge.review.diff` answered; the file of the buffer first.
---@param client vim.lsp.Client
---@param result { files: forge.DiffFile[] }
---@param buffer integer
function M.open(client, result, buffer)
  local files = vim.tbl_filter(function(file)
    return type(file.beforeUri) == "string"
  end, result.files)
  if #files == 0 then
    return server.tell("what waits for review isn't text, so there is nothing to show.")
  end
  local mine = vim.api.nvim_buf_is_valid(buffer) and vim.uri_from_bufnr(buffer)
  local index = 1
  for each, file in ipairs(files) do
    index = file.uri == mine and each or index
  end
  vim.cmd.tabnew()
  local after = vim.api.nvim_get_current_win()
  vim.bo.bufhidden = "wipe"
  local before = vim.api.nvim_open_win(0, false, { split = "left", win = after })
  M.fill({ client = client, files = files, index = index, windows = { before, after } })
end

return M
