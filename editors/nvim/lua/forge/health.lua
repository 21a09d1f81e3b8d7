--- `:checkhealth forge`.
local M = {}

local server = require("forge.server")

local ANSWER_MS = 10000

local function check_executable()
  local config = vim.lsp.config[server.NAME]
  local command = config and config.cmd
  if type(command) ~= "table" then
    return vim.health.info("The server is started by a function of yours.")
  end
  if vim.fn.executable(command[1]) == 1 then
    return vim.health.ok(("%s is there: %s"):format(command[1], vim.fn.exepath(command[1])))
  end
  vim.health.error(("%s is not on the PATH."):format(command[1]), {
    "Install forge-lsp as its README says.",
    'Or name the program: vim.lsp.config("forge", { cmd = { "/where/it/is/forge-lsp", "lsp" } })',
  })
end

local function check_options()
  for _, wrong in ipairs(require("forge.options").wrong()) do
    vim.health.warn(wrong, "`:help forge-options` has them all.")
  end
end

---@param status table<string, any>
local function report(status)
  vim.health.ok("forge-lsp " .. status.version)
  if type(status.model) == "table" then
    vim.health.ok(("Model: %s (%s)"):format(status.model.code_model, status.model.provider))
  end
  vim.health.ok(("Sandbox: %s, %s"):format(status.sandbox.provider, status.sandbox.isolation))
  for _, missing in ipairs(status.missing) do
    vim.health.warn(missing.what, missing.remedy)
  end
end

function M.check()
  vim.health.start("forge")
  if vim.fn.has("nvim-0.11") == 0 then
    return vim.health.error("Neovim 0.11 or newer is needed.")
  end
  vim.health.ok("Neovim " .. tostring(vim.version()))
  check_executable()
  check_options()
  if not vim.lsp.is_enabled(server.NAME) then
    vim.health.warn("The server isn't enabled.", 'Write vim.lsp.enable("forge") into your init.lua.')
  end
  local client = server.client()
  if not client then
    return vim.health.info("The server isn't running; it starts with a file of a project.")
  end
  local status, failure = server.answer(client, "forge.status", {}, ANSWER_MS)
  if status then
    report(status)
  else
    vim.health.error("The server doesn't tell its status: " .. failure)
  end
end

return M
