if vim.g.loaded_forge or vim.fn.has("nvim-0.11") == 0 then
  return
end
vim.g.loaded_forge = true

vim.api.nvim_create_user_command("Forge", function(call)
  require("forge.commands").run(call)
end, {
  nargs = "*",
  range = true,
  bang = true,
  desc = "Build and edit apps with forge-lsp",
  complete = function(...)
    return require("forge.commands").complete(...)
  end,
})

require("forge").attach()
