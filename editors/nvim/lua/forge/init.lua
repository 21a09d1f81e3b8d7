--- forge-lsp in Neovim. See `:help forge`.
local M = {}

---Change the options; everything works without it.
---@param options? forge.GivenOptions
function M.setup(options)
  require("forge.options").set(options)
end

---What is under way, or what waits for review here, for a statusline: `%{v:lua.require'forge'.status()}`.
---@return string
function M.status()
  return require("forge.progress").status()
end

---Cancel the newest run.
function M.cancel()
  require("forge.progress").cancel()
end

---Go to the next pending change of this buffer.
function M.next_change()
  require("forge.review").go(1)
end

---Go to the previous pending change of this buffer.
function M.previous_change()
  require("forge.review").go(-1)
end

---Called by the plugin itself: the keys that can be mapped, and what happens by itself.
function M.attach()
  local maps = {
    { "n", "next", M.next_change, "Next change" },
    { "n", "prev", M.previous_change, "Previous change" },
    { "n", "accept", "<Cmd>Forge accept hunk<CR>", "Accept the change at the cursor" },
    { "n", "reject", "<Cmd>Forge reject hunk<CR>", "Reject the change at the cursor" },
    { "n", "cancel", M.cancel, "Cancel the newest run" },
    { "n", "edit", "<Cmd>Forge edit<CR>", "Edit by a prompt" },
    { "x", "edit", ":Forge edit<CR>", "Edit the selection by a prompt" },
  }
  for _, map in ipairs(maps) do
    vim.keymap.set(map[1], ("<Plug>(forge-%s)"):format(map[2]), map[3], { desc = "Forge: " .. map[4] })
  end
  require("forge.asking").attach()
  require("forge.progress").attach()
  require("forge.review").attach()
end

return M
