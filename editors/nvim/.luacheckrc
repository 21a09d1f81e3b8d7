std = "luajit"
cache = false
max_line_length = 120
read_globals = { "vim" }
-- Options and variables of Neovim are set through fields.
globals = { "vim.g", "vim.o", "vim.bo", "vim.wo", "vim.b", "vim.lsp" }
