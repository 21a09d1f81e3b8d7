--- Answers that are lists, as people read them.
local M = {}

local scratch = require("forge.scratch")
local server = require("forge.server")
local text = require("forge.text")

---@param at_ms? integer
---@return string
local function when(at_ms)
  return type(at_ms) == "number" and os.date("%Y-%m-%d %H:%M", math.floor(at_ms / 1000)) --[[@as string]] or ""
end

---@param value any
---@return string
local function cost(value)
  return type(value) == "number" and ("$%.4f"):format(value) or "cost unknown"
end

---@param runs table[]
function M.runs(runs)
  local lines = vim.tbl_map(function(run)
    local outcome = type(run.outcome) == "string" and run.outcome or "under way"
    local tokens = run.inputTokens + run.outputTokens
    local parts = { when(run.startedAt), run.kind, outcome, tokens .. " tokens", cost(run.costUsd), run.runId }
    return ("%s  %s"):format(table.concat(parts, " · "), text.one_line(run.title))
  end, runs)
  scratch.show("forge://runs", lines)
end

---@param entries table[]
---@param origin integer The buffer in which it was asked for.
function M.history(entries, origin)
  if #entries == 0 then
    return server.tell("nothing was changed in this folder yet.")
  end
  local lines = vim.tbl_map(function(entry)
    local added, removed = 0, 0
    for _, file in ipairs(entry.files) do
      added, removed = added + file.added, removed + file.removed
    end
    local changed = ("%s +%d -%d"):format(text.count(#entry.files, "file"), added, removed)
    local parts = { when(entry.createdAt), entry.state, changed, cost(entry.costUsd) }
    return ("%s  %s"):format(table.concat(parts, " · "), text.one_line(entry.title))
  end, entries)
  local buffer = scratch.show("forge://history", lines)
  vim.wo[0][0].winbar = "u: undo · <CR>: restore to here · q: close"
  for key, command in pairs({ u = "forge.undo", ["<CR>"] = "forge.restore" }) do
    vim.keymap.set("n", key, function()
      local entry = entries[vim.api.nvim_win_get_cursor(0)[1]]
      if entry then
        scratch.close()
        server.execute(command, { changeSetId = entry.changeSetId }, origin)
      end
    end, { buffer = buffer, desc = command })
  end
end

---@param fragments table[]
function M.fragments(fragments)
  local lines = {}
  for _, each in ipairs(fragments) do
    local versions = text.count(#each.versions, "version")
    table.insert(lines, ("%s · %s  %s"):format(each.id, versions, text.one_line(each.title)))
    for _, path in ipairs(each.files) do
      table.insert(lines, "    " .. text.one_line(path))
    end
  end
  scratch.show("forge://fragments", lines)
end

---@param answer { files: string[] }
function M.files(answer)
  scratch.show("forge://files", vim.tbl_map(text.one_line, answer.files))
end

---@param answer { lines: { source: string, text: string }[] }
function M.logs(answer)
  local lines = vim.tbl_map(function(each)
    return ("[%s] %s"):format(each.source, text.one_line(each.text))
  end, answer.lines)
  local buffer = scratch.show("forge://logs", lines)
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(buffer), 0 })
end

---@param answer { diagnostics: table[] }
---@param origin integer The buffer in which it was asked for.
function M.diagnostics(answer, origin)
  local count = #answer.diagnostics
  server.tell(count == 0 and "no problems in the preview." or text.count(count, "problem") .. " in the preview.")
  local client = server.client(origin)
  if count > 0 and client then
    vim.diagnostic.setqflist({
      title = "Forge: the preview's problems",
      namespace = vim.lsp.diagnostic.get_namespace(client.id),
      severity = { min = vim.diagnostic.severity.WARN },
    })
  end
end

---@param answer { isAlive: boolean, sandboxId: string, url: string }
function M.sandbox(answer)
  local state = answer.isAlive and "lives" or "has ended"
  server.tell(("the sandbox %s %s; its preview is at %s"):format(answer.sandboxId, state, answer.url))
end

return M
