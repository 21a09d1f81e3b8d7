--- What there is behind `:Forge`: each subcommand asks the server for a command, or shows something.

local asking = require("forge.asking")
local review = require("forge.review")
local server = require("forge.server")

local COMPLETE_MS = 1000
local MOST_LISTED = 100

---What a call is about: the document, and the range where one was given.
---@param call forge.Call
---@param more? forge.Argument
---@return forge.Argument
local function about(call, more)
  return vim.tbl_extend("error", { textDocument = server.document(call.buffer) }, more or {})
end

---@param command string
---@param answered? fun(result: any, call: forge.Call)
---@return fun(call: forge.Call)
local function plain(command, answered)
  return function(call)
    asking.run(command, about(call), call.buffer, answered and function(result)
      answered(result, call)
    end)
  end
end

---@param command string
---@param member string
---@param answered? fun(result: any)
---@return fun(call: forge.Call)
local function with_id(command, member, answered)
  return function(call)
    asking.run(command, about(call, { [member] = call.words[1] }), call.buffer, answered)
  end
end

---@param command string
---@param takes_range boolean
---@return fun(call: forge.Call)
local function with_prompt(command, takes_range)
  return function(call)
    local range = takes_range and server.document(call.buffer) and call.range or nil
    asking.run(command, about(call, { prompt = call.text, range = range }), call.buffer)
  end
end

---For what takes no document: it is of the whole server.
---@param command string
---@param answered? fun(result: any, call: forge.Call)
---@return fun(call: forge.Call)
local function of_server(command, answered)
  return function(call)
    server.execute(command, {}, call.buffer, answered and function(result)
      answered(result, call)
    end)
  end
end

---@param call forge.Call
local function cancel(call)
  if call.words[1] then
    server.execute("forge.cancel", { runId = call.words[1] }, call.buffer)
  else
    require("forge.progress").cancel()
  end
end

---@param verb "accept"|"reject"
---@return fun(call: forge.Call)
local function decide(verb)
  return function(call)
    local scope = call.words[1] or "hunk"
    if not vim.list_contains({ "hunk", "file", "all" }, scope) then
      return server.tell(("%s what? A hunk, file or all."):format(verb), vim.log.levels.ERROR)
    end
    review.decide(verb, scope, call.buffer, call.row)
  end
end

---Mend what is marked in the lines, or else all that is wrong in the preview.
---@param call forge.Call
local function fix(call)
  local first = call.range and call.range.start.line or call.row
  local last = call.range and call.range["end"].line - 1 or first
  local marked = vim.tbl_filter(function(mark)
    return mark.lnum <= last and first <= (mark.end_lnum or mark.lnum)
  end, vim.diagnostic.get(call.buffer))
  local more = #marked > 0 and server.document(call.buffer) and { diagnostics = vim.lsp.diagnostic.from(marked) } or {}
  asking.run("forge.fix", about(call, more), call.buffer)
end

---@param call forge.Call
local function augment(call)
  local argument = about(call, { force = call.bang })
  for _, word in ipairs(call.words) do
    if word == "--dry-run" then
      argument.dryRun = true
    elseif word == "--force" then
      argument.force = true
    else
      argument.alias = word
    end
  end
  asking.run("forge.augmenter.run", argument, call.buffer)
end

---@param call forge.Call
local function skill(call)
  local range = server.document(call.buffer) and call.range or nil
  asking.run("forge.skill.run", about(call, { alias = call.words[1], range = range }), call.buffer)
end

---@param call forge.Call
local function open(call)
  server.execute("forge.sandbox.status", about(call), call.buffer, function(answer)
    local url = answer.url
    if not answer.isAlive then
      return server.tell("the sandbox has ended. `:Forge sandbox create` makes another.", vim.log.levels.ERROR)
    end
    if not url:match("^https?://") then
      return server.tell("that is no page: " .. url, vim.log.levels.ERROR)
    end
    local _, failure = vim.ui.open(url)
    server.tell(failure and ("the preview is at %s (%s)"):format(url, failure) or "the preview is at " .. url)
  end)
end

---@param answer { conversationId: string, conversations?: table[] }
local function tell_conversation(answer)
  local title = answer.conversationId
  for _, each in ipairs(answer.conversations or {}) do
    if each.conversationId == answer.conversationId then
      title = require("forge.text").one_line(each.title)
    end
  end
  server.tell("this is the conversation: " .. title)
end

---@param call forge.Call
local function install(call)
  asking.run("forge.packages.install", about(call, { packages = call.words }), call.buffer)
end

---What a command lists, for completion; nothing where that takes long.
---@param command string
---@param key string
---@param is_meant? fun(item: table): boolean
---@param argument? forge.Argument
---@return fun(): string[]
local function listing(command, key, is_meant, argument)
  return function()
    local client = server.client()
    local items = client and server.answer(client, command, argument or {}, COMPLETE_MS) or {}
    return vim.tbl_map(function(each)
      return each[key]
    end, is_meant and vim.tbl_filter(is_meant, items) or items)
  end
end

---@param kind string
---@return fun(): string[]
local function aliases(kind)
  return listing("forge.skills", "alias", function(each)
    return each.kind == kind
  end)
end

---@return fun(): string[]
local function under_way()
  return listing("forge.runs", "runId", function(each)
    return type(each.outcome) ~= "string"
  end)
end

---@return fun(): string[]
local function accepted()
  return listing("forge.history", "changeSetId", function(each)
    return each.state == "accepted"
  end, { quiet = true })
end

---@param call forge.Call
local function history(call)
  local argument = about(call, { limit = MOST_LISTED, quiet = true })
  server.execute("forge.history", argument, call.buffer, function(entries)
    require("forge.lists").history(entries, call.buffer)
  end)
end

local function scopes()
  return { "hunk", "file", "all" }
end

---@param lists_function string
---@return fun(result: any, call: forge.Call)
local function listed(lists_function)
  return function(result, call)
    require("forge.lists")[lists_function](result, call.buffer)
  end
end

---@param message string
---@return fun()
local function said(message)
  return function()
    server.tell(message)
  end
end

---@type table<string, forge.Subcommand>
return {
  generate = { help = "new code from a prompt", run = with_prompt("forge.generate", true) },
  edit = { help = "change what exists, by a prompt", run = with_prompt("forge.edit", true) },
  fix = { help = "mend what is marked here, or all of the preview's problems", run = fix },
  build = { help = "a whole app from a prompt", run = with_prompt("forge.build", false) },
  resume = { help = "go on with a build that was broken off", run = with_id("forge.resume", "runId") },
  accept = { help = "accept a hunk, the file's, or all", run = decide("accept"), complete = scopes },
  reject = { help = "reject a hunk, the file's, or all", run = decide("reject"), complete = scopes },
  diff = {
    help = "show what waits for review",
    run = function(call)
      asking.diff(about(call), call.buffer)
    end,
  },
  undo = { help = "put back what a change found", run = with_id("forge.undo", "changeSetId"), complete = accepted() },
  history = { help = "what was changed so far", run = history },
  restore = {
    help = "the workspace as it was after a change",
    run = with_id("forge.restore", "changeSetId"),
    complete = accepted(),
  },
  ["conversation new"] = {
    help = "begin another conversation",
    run = plain("forge.conversation.new", said("a new conversation has begun.")),
  },
  ["conversation switch"] = {
    help = "go on with another conversation",
    run = with_id("forge.conversation.switch", "conversationId", tell_conversation),
  },
  ["conversation show"] = {
    help = "read a conversation",
    run = with_id("forge.conversation.show", "conversationId"),
  },
  fragments = { help = "what was generated", run = plain("forge.fragments", listed("fragments")) },
  apply = {
    help = "apply a fragment",
    run = with_id("forge.apply", "fragmentId"),
    complete = listing("forge.fragments", "id"),
  },
  skill = { help = "have a critique look", run = skill, complete = aliases("critique") },
  augment = { help = "have an augmenter change the app", run = augment, complete = aliases("augmenter") },
  cancel = { help = "end the newest run, or the one named", run = cancel, complete = under_way() },
  runs = { help = "the recent runs", run = of_server("forge.runs", listed("runs")) },
  status = { help = "what stands ready and what is missing", run = of_server("forge.status") },
  live = {
    help = "the text that is being written",
    is_alone = true,
    run = function()
      require("forge.live").open()
    end,
  },
  messages = {
    help = "what was told so far",
    is_alone = true,
    run = function()
      require("forge.messages").open()
    end,
  },
  open = { help = "open the preview", run = open },
  install = { help = "install npm packages", run = install },
  ["sandbox create"] = { help = "make the sandbox", run = plain("forge.sandbox.create") },
  ["sandbox status"] = { help = "whether it lives", run = plain("forge.sandbox.status", listed("sandbox")) },
  ["sandbox files"] = { help = "its files", run = plain("forge.sandbox.files", listed("files")) },
  ["sandbox logs"] = { help = "its log", run = plain("forge.sandbox.logs", listed("logs")) },
  ["sandbox diagnostics"] = {
    help = "its problems",
    run = plain("forge.sandbox.diagnostics", listed("diagnostics")),
  },
  ["sandbox open"] = { help = "open the preview", run = open },
  ["sandbox run"] = { help = "run this Python file", run = plain("forge.sandbox.run") },
  ["sandbox kill"] = { help = "end it", run = plain("forge.sandbox.kill", said("the sandbox has ended.")) },
}
