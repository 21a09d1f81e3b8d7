--- Asks the person for what a command lacks, wherever it was asked for: by `:Forge`, a code
--- action or a lens.
local M = {}

local server = require("forge.server")
local text = require("forge.text")

---@alias forge.Asker fun(argument: forge.Argument, buffer: integer, go: fun(argument: forge.Argument))

---@param value any
---@return boolean
local function is_lacking(value)
  return value == nil or value == vim.NIL or value == "" or (type(value) == "table" and not next(value))
end

---@param argument forge.Argument
---@param member string
---@param value any
---@return forge.Argument
local function with(argument, member, value)
  return vim.tbl_extend("force", argument, { [member] = value })
end

---@param question string
---@return forge.Asker
local function prompt(question)
  return function(argument, _, go)
    if type(argument.prompt) == "string" and vim.trim(argument.prompt) ~= "" then
      return go(argument)
    end
    vim.ui.input({ prompt = question }, function(typed)
      if typed and vim.trim(typed) ~= "" then
        go(with(argument, "prompt", typed))
      end
    end)
  end
end

---@param member string
---@param question string
---@param list fun(argument: forge.Argument, buffer: integer, found: fun(items: table[]))
---@param key string What of the chosen item is given.
---@param format fun(item: table): string
---@return forge.Asker
local function choice(member, question, list, key, format)
  return function(argument, buffer, go)
    if not is_lacking(argument[member]) or not is_lacking(argument.files) then
      return go(argument)
    end
    list(argument, buffer, function(items)
      if #items == 0 then
        return server.tell("there is nothing to choose from.")
      end
      local shown = { prompt = question, format_item = format }
      vim.ui.select(items, shown, function(item)
        if item then
          go(with(argument, member, item[key]))
        end
      end)
    end)
  end
end

---@param kind string
---@return forge.Asker
local function skill(kind)
  local function list(argument, buffer, found)
    local given = { textDocument = argument.textDocument }
    server.execute("forge.skills", given, buffer, function(skills)
      found(vim.tbl_filter(function(each)
        return each.kind == kind
      end, skills))
    end)
  end
  local function format(each)
    return ("%s – %s"):format(each.alias, text.one_line(each.description))
  end
  return choice("alias", ("Which %s?"):format(kind), list, "alias", format)
end

---@param argument forge.Argument
---@param buffer integer
---@param found fun(items: table[])
local function list_fragments(argument, buffer, found)
  server.execute("forge.fragments", { textDocument = argument.textDocument }, buffer, found)
end

---@param argument forge.Argument
---@param buffer integer
---@param found fun(items: table[])
local function list_accepted(argument, buffer, found)
  local given = { textDocument = argument.textDocument, quiet = true }
  server.execute("forge.history", given, buffer, function(entries)
    found(vim.tbl_filter(function(entry)
      return entry.state == "accepted"
    end, entries))
  end)
end

---@param argument forge.Argument
---@param _ integer
---@param go fun(argument: forge.Argument)
local function packages(argument, _, go)
  if not is_lacking(argument.packages) then
    return go(argument)
  end
  vim.ui.input({ prompt = "Forge: install which packages? " }, function(typed)
    local names = vim.split(typed or "", "%s+", { trimempty = true })
    if #names > 0 then
      go(with(argument, "packages", names))
    end
  end)
end

---@type table<string, forge.Asker>
local ASKERS = {
  ["forge.generate"] = prompt("Forge: generate what? "),
  ["forge.edit"] = prompt("Forge: change what? "),
  ["forge.build"] = prompt("Forge: build what? "),
  ["forge.skill.run"] = skill("critique"),
  ["forge.augmenter.run"] = skill("augmenter"),
  ["forge.packages.install"] = packages,
  ["forge.apply"] = choice("fragmentId", "Apply which fragment?", list_fragments, "id", function(each)
    return ("%s (version %d)"):format(text.one_line(each.title), each.version)
  end),
  ["forge.restore"] = choice("changeSetId", "Restore to which change?", list_accepted, "changeSetId", function(each)
    return text.one_line(each.title)
  end),
}

---Carry a command out, once the person has given what it lacks.
---@param command string
---@param argument forge.Argument
---@param buffer integer
---@param answered? fun(result: any)
function M.run(command, argument, buffer, answered)
  local ask = ASKERS[command]
  if not ask then
    return server.execute(command, argument, buffer, answered)
  end
  ask(argument, buffer, function(whole)
    server.execute(command, whole, buffer, answered)
  end)
end

---Show what is pending as a diff in a tab.
---@param argument forge.Argument
---@param buffer integer
function M.diff(argument, buffer)
  server.with_client(buffer, function(client)
    server.execute_by(client, "forge.review.diff", argument, function(result)
      require("forge.diff").open(client, result, buffer)
    end)
  end)
end

---Take the commands that may lack something, and the diff, over from the server.
function M.attach()
  for command in pairs(ASKERS) do
    vim.lsp.commands[command] = function(given, context)
      M.run(command, (given.arguments or {})[1] or {}, context.bufnr)
    end
  end
  vim.lsp.commands["forge.review.diff"] = function(given, context)
    M.diff((given.arguments or {})[1] or {}, context.bufnr)
  end
end

return M
