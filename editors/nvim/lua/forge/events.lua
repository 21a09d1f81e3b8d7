--- Hands each event of a run to whoever shows it.
local M = {}

local server = require("forge.server")

---@class forge.Known
---@field kind string
---@field paths string[] The files that it changed in the workspace.

---@type table<string, forge.Known>
local known = {}

local SAVED = { accept = true, undo = true, restore = true }

---@param buffer integer
local function save(buffer)
  local is_saved, failure = pcall(vim.api.nvim_buf_call, buffer, function()
    vim.cmd("silent update ++p")
  end)
  if not is_saved then
    server.tell(("%s isn't saved: %s"):format(vim.api.nvim_buf_get_name(buffer), failure), vim.log.levels.ERROR)
  end
end

---@param root string
---@param paths string[]
local function save_all(root, paths)
  local meant = {}
  for _, path in ipairs(paths) do
    meant[vim.fs.normalize(vim.fs.joinpath(root, path))] = true
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local is_meant = meant[vim.fs.normalize(vim.api.nvim_buf_get_name(buffer))]
    if is_meant and vim.bo[buffer].modified then
      save(buffer)
    end
  end
end

---@param recorded forge.Recorded
---@param client vim.lsp.Client
function M.take(recorded, client)
  local event = recorded.event
  require("forge.live").take(recorded.runId, event, client)
  local run = known[recorded.runId]
  if event.type == "run_started" then
    known[recorded.runId] = { kind = event.kind, paths = {} }
  elseif run and event.type == "file_applied" and event.target == "workspace" and event.ok then
    table.insert(run.paths, event.path)
  elseif event.type == "run_finished" then
    known[recorded.runId] = nil
    if run and SAVED[run.kind] and require("forge.options").get().save_after_accept then
      save_all(client.root_dir or vim.fn.getcwd(), run.paths)
    end
    vim.api.nvim_exec_autocmds("User", {
      pattern = "ForgeRunFinished",
      modeline = false,
      data = { runId = recorded.runId, kind = run and run.kind, outcome = event.outcome },
    })
  end
end

return M
