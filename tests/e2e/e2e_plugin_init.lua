-- A Neovim with the plugin of this checkout, and nothing set up but the server's program.
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
dofile(vim.fs.joinpath(here, 'e2e_seen.lua'))

vim.opt.runtimepath:prepend(vim.fs.joinpath(vim.fs.dirname(vim.fs.dirname(here)), 'editors/nvim'))
vim.lsp.config('forge', { cmd = vim.json.decode(assert(vim.env.LANGUAGE_SERVER)) })
vim.lsp.enable('forge')

-- The plugin shows messages its own way, and keeps them.
seen.messages = require('forge.messages').all
