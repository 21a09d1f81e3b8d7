--- Hands each event of a run to whoever shows it.
local M = {}

---@class forge.Known
---@field kind string
---@field paths string[] The files that it changed in the workspace.

---@type table<string, forge.Known>
local known = {}

local SAVED = { accept = true, undo = true, restore = true }

---@param paths string[]
local function save(paths)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local name = vim.fs.normalize(vim.api.nvim_buf_get_name(buffer))
    local is_meant = vim.iter(paths):any(function(path)
      return vim.endswith(name, "/" .. path)
    end)
    local is_ours = #vim.lsp.get_clients({ name = require("forge.server").NAME, bufnr = buffer }) > 0
    if is_meant and is_ours and vim.bo[buffer].modified then
      vim.api.nvim_buf_call(buffer, function()
        vim.fn.mkdir(vim.fs.dirname(name), "p")
        vim.cmd("silent update")
      end)
    end
  end
end

---@param recorded forge.Recorded
function M.take(recorded)
  local event = recorded.event
  require("forge.live").take(recorded.runId, event)
  local run = known[recorded.runId]
  if event.type == "run_started" then
    known[recorded.runId] = { kind = event.kind, paths = {} }
  elseif run and event.type == "file_applied" and event.target == "workspace" and event.ok then
    table.insert(run.paths, event.path)
  elseif event.type == "run_finished" then
    known[recorded.runId] = nil
    if run and SAVED[run.kind] and require("forge.options").get().save_after_accept then
      save(run.paths)
    end
    vim.api.nvim_exec_autocmds("User", {
      pattern = "ForgeRunFinished",
      modeline = false,
      data = { runId = recorded.runId, kind = run and run.kind, outcome = event.outcome },
    })
  end
end

return M
