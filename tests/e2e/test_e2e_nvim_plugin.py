"""The plugin in a real Neovim: prompts typed, live text, changes drawn and decided, and lists."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim import Neovim, opened
from e2e_projects import APP, COUNTER, counter_project, counter_with_reset
from e2e_screen import shown
from e2e_tools import LANGUAGE_SERVER, executable, neovim

pytestmark = [pytest.mark.slow]

HELP = Path(__file__).parents[2] / "editors/nvim/doc/forge.txt"

INIT = Path(__file__).with_name("e2e_plugin_init.lua")
SLOW = "0.02"
"""Seconds for each piece of the model's reply: an edit takes some seconds."""
HUNKS = "require('forge.review').hunks(0)"
LIVE = "vim.api.nvim_buf_get_lines(vim.fn.bufnr('forge://live'), 0, -1, true)"


@contextmanager
def plugged(workspace: Path, home: Home, **settings: str) -> Generator[Neovim]:
    """A Neovim with the plugin; without a sandbox where `settings` have no Node."""
    with opened(workspace, home, init=INIT, **settings) as editor:
        yield editor


def test_a_typed_prompt_becomes_changes_that_are_drawn_and_decided_one_by_one(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    before = counter_project()[COUNTER].decode()
    with plugged(workspace, plain_home, **no_node) as editor:
        editor.open(COUNTER)
        editor.type(":Forge edit<CR>add a step size<CR>")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} > 1")
        assert editor.text == before
        first, *others = editor.lua(f"return {HUNKS}")
        proposed = "\n".join(editor.lua(f"return {LIVE}"))

        editor.type("ggOTyped above.<Esc>")
        moved = editor.lua(f"return {HUNKS}")
        assert [each["first"] for each in moved] == [each["first"] + 1 for each in (first, *others)]
        editor.type("u")

        editor.lua("vim.fn.cursor(1, 1)")
        editor.press("<Plug>(forge-next)")
        assert editor.lua("return vim.fn.line('.') - 1") == first["first"]
        editor.press("<Plug>(forge-accept)")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} == a[1]", len(others))
        assert editor.text not in (before, proposed)

        editor.press("<Plug>(forge-next)")
        editor.press("<Plug>(forge-reject)")
        assert editor.outcome("Forge: rejecting")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} == a[1]", len(others) - 1)

        editor.type(":Forge undo<CR>")
        assert editor.outcome("Forge: undoing")["outcome"] == "done", editor.messages
        assert editor.text == before


def test_all_is_accepted_shown_in_the_history_undone_and_restored(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    before = counter_project()
    fill(workspace, before)
    with plugged(workspace, plain_home, **no_node) as editor:
        editor.open(COUNTER)
        editor.lua("require('forge').setup({ save_after_accept = true, live = false })")
        editor.type(":Forge edit add a reset button<CR>")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
        assert editor.lua("return vim.fn.bufwinid('forge://live')") == -1
        editor.wait(f"#{HUNKS} == 1")
        assert editor.lua("return require('forge').status()") == "Forge: 1 change to review"

        editor.type(":Forge diff<CR>")
        editor.wait("vim.fn.tabpagenr('$') == 2 and vim.wo.diff")
        assert editor.text == counter_with_reset().decode()
        assert editor.lua("return vim.bo.filetype") == "typescriptreact"
        editor.type("<C-w>h")
        assert editor.text == before[COUNTER].decode()
        editor.type("q")

        editor.type(":Forge accept all<CR>")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.wait("not vim.bo.modified and #require('forge.review').hunks(0) == 0")
        after = {**before, COUNTER: counter_with_reset()}
        assert contents(workspace) == after

        editor.type(":Forge history<CR>")
        editor.wait("vim.fn.bufname() == 'forge://history'")
        assert "add a reset button" in editor.text
        editor.type("u")
        assert editor.outcome("Forge: undoing")["outcome"] == "done", editor.messages
        editor.wait("not vim.bo.modified")
        assert contents(workspace) == before


def test_code_actions_ask_for_the_prompt_and_the_skill_that_they_lack(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    with plugged(workspace, plain_home, **no_node) as editor:
        editor.open(COUNTER)
        command = """:lua vim.lsp.get_clients({ name = 'forge' })[1]:exec_cmd({
            title = '', command = 'forge.edit' })<CR>""".replace("\n", " ")
        editor.type(f"{command}add a reset button<CR>")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages

        editor.lua("vim.schedule(function() vim.cmd('Forge skill') end)")
        editor.answer("1<CR>")
        assert editor.outcome("Forge: looking")["outcome"] == "done", editor.messages


def test_a_key_cancels_what_streams_into_the_live_window(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    settings = {**no_node, "FORGE_MODEL_DEMO_PACE_S": SLOW}
    with plugged(workspace, plain_home, **settings) as editor:
        editor.open(COUNTER)
        here = editor.lua("return vim.api.nvim_get_current_win()")
        editor.type(":Forge generate a to-do list<CR>")
        editor.wait("vim.fn.bufwinid('forge://live') ~= -1")
        editor.wait("vim.bo[vim.fn.bufnr('forge://live')].filetype:find('typescript')")
        assert editor.lua("return vim.api.nvim_get_current_win()") == here
        editor.wait(f"#{LIVE} > 5")
        assert editor.is_under_way("Forge: generating")
        editor.wait("require('forge').status():find('Writing src/', 1, true)")
        editor.type(":Forge live<CR>")
        assert not editor.lua("return vim.bo.modifiable")
        editor.press("<C-c>")
        assert editor.outcome("Forge: generating")["outcome"] == "cancelled"
        assert contents(workspace) == counter_project()


def test_a_person_sees_the_text_come_and_the_changes_where_they_are_meant(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    command = [str(neovim()), "--clean", "-u", str(INIT), "-n", COUNTER]
    settings = {
        "PATH": f"{no_node['PATH']}:{executable('tmux').parent}",
        "LANGUAGE_SERVER": json.dumps(LANGUAGE_SERVER),
        "FORGE_MODEL_DEMO_PACE_S": "0.01",
    }
    with shown(command, workspace, plain_home, **settings) as screen:
        screen.wait_for("export default function Counter")
        screen.type(":Forge edit", "Enter")
        screen.wait_for("Forge: change what?")
        screen.type("-l", "add a reset button")
        screen.type("Enter")
        screen.wait_for(f"Forge: {COUNTER}")
        screen.wait_for("ready for review")
        screen.type(":only", "Enter")
        seen = screen.wait_for("          Reset", "forge\n")
        assert "[+]" not in seen
        screen.type(":lua require('forge').next_change()", "Enter")
        screen.type(":Forge accept", "Enter")
        screen.wait_for("          Reset", f"{COUNTER} [+]")
        screen.wait_until_gone("forge\n")


def test_a_server_that_died_is_started_again_by_the_next_command(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    settings = {**no_node, "FORGE_MODEL_DEMO_PACE_S": SLOW}
    with plugged(workspace, plain_home, **settings) as editor:
        editor.open(COUNTER)
        editor.type(":Forge generate a to-do list<CR>")
        editor.wait("require('forge').status():find('Writing src/', 1, true)")
        editor.lua("""for _, pid in ipairs(vim.api.nvim_get_proc_children(vim.fn.getpid())) do
            vim.uv.kill(pid, 'sigkill')
        end""")
        editor.wait("#vim.lsp.get_clients({ name = 'forge' }) == 0")
        assert editor.lua("return require('forge').status()") == ""
        # The prompt is asked for once the server is there.
        editor.type(":Forge edit add a reset button<CR>")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} == 1")


def test_lines_that_only_come_stand_between_those_that_they_come_between(
    workspace: Path, plain_home: Home
) -> None:
    with plugged(workspace, plain_home) as editor:
        placed = editor.lua(
            """vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'a', 'b', 'c' })
            local function hunk(row, start, after)
              return { hunkId = tostring(row), firstLine = row, lastLine = row, beforeStart = start,
                beforeCount = 0, afterStart = after, afterCount = 1 }
            end
            local file = { path = 'x', hunks = { hunk(0, 0, 0), hunk(1, 1, 2), hunk(2, 3, 5) } }
            require('forge.hunks').draw(0, 'run_1', file, { '0', 'a', '1', 'b', 'c', '2' })
            local virtual = {}
            local space = vim.api.nvim_get_namespaces()['forge.hunks']
            local marks = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })
            for _, mark in ipairs(marks) do
              local lines = mark[4].virt_lines
              if lines then
                table.insert(virtual, { lines[1][1][1], mark[2], mark[4].virt_lines_above })
              end
            end
            return virtual"""
        )
        assert sorted(placed) == [["0", 0, True], ["1", 0, False], ["2", 2, False]]


def test_whatever_a_model_writes_stays_within_the_live_buffer(
    workspace: Path, plain_home: Home
) -> None:
    with plugged(workspace, plain_home) as editor:
        editor.lua(
            """local take, told = require('forge.events').take, ...
            for _, event in ipairs(told) do
              take({ runId = 'run_1', seq = 1, event = event })
            end
            for _ = 1, 30 do
              take({ runId = 'run_1', seq = 1, event = {
                type = 'file_delta', path = told[2].path, text = ('x\\n'):rep(1000) } })
            end""",
            [
                {"type": "run_started", "kind": "generate", "title": "%{system('touch x')}"},
                {"type": "file_started", "path": "../%{x}\n\x1b]0;.tsx", "action": "create"},
                {"type": "file_delta", "path": "other", "text": "a\0b\r\n\x1b[2J\n"},
                {"type": "file_finished", "path": "never begun", "content": None},
                {"type": "file_dropped", "path": "never begun", "reason": ""},
                {"type": "a kind of tomorrow"},
            ],
        )
        assert editor.lua(f"return #{LIVE}") == 5000
        assert (
            editor.lua("return vim.b[vim.fn.bufnr('forge://live')].forge_live") == "../%{x} ]0;.tsx"
        )
        assert contents(workspace) == {}


@pytest.mark.sandbox
def test_the_sandbox_and_its_preview_are_looked_at_filled_and_ended(
    workspace: Path, home: Home, browser: Path
) -> None:
    fill(workspace, counter_project())
    path = f"{browser.parent}:{os.environ['PATH']}"
    with plugged(workspace, home, PATH=path) as editor:
        editor.open(COUNTER)
        editor.type(":Forge sandbox create<CR>")
        assert editor.outcome("Forge: making a sandbox")["outcome"] == "done", editor.messages
        editor.type(":Forge sandbox status<CR>")
        wait_for_message(editor, "lives; its preview is at http://")
        editor.type(":Forge sandbox files<CR>")
        wait_for_list(editor, "files", COUNTER)
        editor.type(":Forge sandbox logs<CR>")
        wait_for_list(editor, "logs", "[")
        editor.type(":Forge sandbox diagnostics<CR>")
        wait_for_message(editor, "no problems in the preview")
        editor.type(":Forge open<CR>")
        url, told = editor.request("forge.sandbox.status")["url"], browser.parent / "opened"
        editor.wait("(vim.uv.fs_stat(a[1]) or { size = 0 }).size >= a[2]", str(told), len(url))
        assert told.read_text() == url

        editor.type(":Forge install clsx<CR>")
        assert editor.outcome("Forge: installing")["outcome"] == "done", editor.messages
        editor.save_all()
        assert b'"clsx"' in contents(workspace)["package.json"]

        editor.find("useState(0)")
        editor.type("ccconst [count, setCount]: number = useState(0);<Esc>")
        editor.save_all()
        editor.wait("#vim.diagnostic.get(0) > 0")
        editor.find("useState(0)")
        editor.type(":Forge fix<CR>")
        assert editor.outcome("Forge: mending")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} == 1")
        editor.type(":Forge reject file<CR>")
        assert editor.outcome("Forge: rejecting")["outcome"] == "done", editor.messages
        editor.wait(f"#{HUNKS} == 0")
        editor.type(":Forge sandbox run<CR>")
        wait_for_message(editor, "Only a Python file of the workspace can be run")

        editor.type(":Forge sandbox kill<CR>")
        wait_for_message(editor, "the sandbox has ended")


def test_runs_fragments_conversations_skills_and_builds_are_reached(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    with plugged(workspace, plain_home, **no_node) as editor:
        # Nothing is open here: the folder is empty.
        editor.type(":Forge status<CR>")
        wait_for_message(editor, "HTTP: http://127.0.0.1:")
        editor.type(":Forge resume<CR>")
        wait_for_message(editor, "No build of this workspace was broken off")
        editor.lua("require('forge').setup({ save_after_accept = true })")
        editor.type(":Forge build<CR>landing page with pricing<CR>")
        assert editor.outcome("Forge: building")["outcome"] == "done", editor.messages
        editor.type(":Forge accept all<CR>")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.wait(
            "vim.iter(vim.fn.getbufinfo()):all(function(each) return each.changed == 0 end)"
        )
        assert b"pricing" in contents(workspace)[APP].lower()

        editor.type(":Forge fragments<CR>")
        wait_for_list(editor, "fragments", APP)
        fragment = editor.request("forge.fragments")[0]["id"]
        assert completions(editor, "Forge apply ") == [fragment]
        editor.type(f":Forge apply {fragment}<CR>")
        assert editor.outcome("Forge: applying")["outcome"] == "done", editor.messages

        editor.type(":Forge conversation new<CR>")
        wait_for_message(editor, "a new conversation has begun")
        editor.type(":Forge conversation switch<CR>")
        editor.answer("2<CR>")
        wait_for_message(editor, "this is the conversation: landing page with pricing")
        editor.type(":Forge conversation show<CR>")
        editor.wait("vim.fn.bufname():find('conversations/')")
        assert "landing page with pricing" in editor.text

        assert "review" in completions(editor, "Forge skill ")
        editor.open(APP)
        editor.type(":Forge skill review<CR>")
        assert editor.outcome("Forge: looking")["outcome"] == "done", editor.messages
        editor.type(":Forge augment seo --dry-run<CR>")
        assert editor.outcome("Forge: trying")["outcome"] == "done", editor.messages

        accepted = editor.request("forge.history")[-1]["changeSetId"]
        editor.type(f":Forge restore {accepted}<CR>")
        editor.outcome("Forge: restoring")
        editor.type(":Forge runs<CR>")
        wait_for_list(editor, "runs", "build")
        editor.type(":Forge cancel<CR>")
        wait_for_message(editor, "Nothing is under way")
        editor.type(":Forge messages<CR>")
        wait_for_list(editor, "messages", "Nothing is under way")
        editor.type(":Forge nonsense<CR>")
        wait_for_message(editor, "there is no :Forge nonsense")


def test_subcommands_complete_health_is_told_and_help_is_found(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    with plugged(workspace, plain_home, **no_node) as editor:
        offered = completions(editor, "Forge ")
        assert {"generate", "edit", "accept", "sandbox", "conversation"} <= set(offered)
        assert completions(editor, "Forge conversation s") == ["show", "switch"]
        assert completions(editor, "Forge accept ") == ["hunk", "file", "all"]

        editor.open(COUNTER)
        editor.lua("vim.cmd('checkhealth forge')")
        assert "OK forge-lsp " in editor.text
        assert "ERROR" not in editor.text, editor.text

        tags = editor.lua(
            """
            local folder = vim.fn.tempname()
            vim.fn.mkdir(folder .. '/doc', 'p')
            vim.uv.fs_copyfile(..., folder .. '/doc/forge.txt')
            vim.cmd.helptags(folder .. '/doc')
            return vim.fn.readfile(folder .. '/doc/tags')""",
            str(HELP),
        )
        assert any(tag.startswith(":Forge\t") for tag in tags)
        names = {tag.partition("\t")[0] for tag in tags}
        subcommands = editor.lua("return vim.tbl_keys(require('forge.commands').SUBCOMMANDS)")
        assert {f":Forge-{each.replace(' ', '-')}" for each in subcommands} <= names


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program like a desktop's opener, which writes down what it is to open."""
    place = tmp_path / "desktop/xdg-open"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nprintf %s "$1" > {place.parent}/opened\n')
    place.chmod(0o755)
    return place


def completions(editor: Neovim, line: str) -> list[str]:
    return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)


def wait_for_message(editor: Neovim, text: str) -> None:
    held = "vim.iter(seen.messages):any(function(each) return each:find(a[1], 1, true) end)"
    editor.wait(held, text)


def wait_for_list(editor: Neovim, name: str, text: str) -> None:
    """Until the list is shown and holds the text; closes it."""
    editor.wait("vim.fn.bufname() == a[1]", f"forge://{name}")
    assert text in editor.text
    editor.type("q")
