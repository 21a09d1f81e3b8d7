"""The plugin in a real Neovim: prompts typed, changes drawn and decided, and all that is listed."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim import Neovim
from e2e_nvim_plugin import (
    CLIENTS,
    HUNKS,
    LIVE,
    completions,
    do,
    plugged,
    wait_for_list,
    wait_for_message,
)
from e2e_projects import APP, COUNTER, counter_project, counter_with_reset

pytestmark = [pytest.mark.slow]

HELP = Path(__file__).parents[2] / "editors/nvim/doc/forge.txt"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real project, in which every test leaves the files as it found them."""
    folder = tmp_path_factory.mktemp("project")
    fill(folder, counter_project())
    return folder


@pytest.fixture(scope="module")
def running(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Neovim]:
    """One Neovim and one server for all tests that need no sandbox."""
    place = tmp_path_factory.mktemp("person")
    for name in ("cache", "no node"):
        (place / name).mkdir()
    home = Home.make(place / "home", place / "cache")
    with plugged(project, home, PATH=str(place / "no node")) as editor:
        yield editor


@pytest.fixture
def editor(running: Neovim, project: Path) -> Neovim:
    """The same Neovim as if nothing had been done in it: the counter is open."""
    running.lua(
        """vim.cmd('silent! tabonly | silent! only! | silent! %bwipeout!')
        vim.g.forge, seen.runs = nil, {}
        while #seen.messages > 0 do
          table.remove(seen.messages)
        end"""
    )
    assert contents(project) == counter_project()
    running.open(COUNTER)
    if running.request("forge.review.diff", {"quiet": True})["files"]:
        do(running, "Forge reject all", "Forge: rejecting")
    return running


def test_a_typed_prompt_becomes_changes_that_are_drawn_and_decided_one_by_one(
    editor: Neovim,
) -> None:
    before = editor.text
    do(editor, "Forge edit<CR>add a step size", "Forge: editing")
    editor.wait(f"#{HUNKS} > 1")
    assert editor.text == before
    first, *others = editor.lua(f"return {HUNKS}")
    proposed = "\n".join(editor.lua(f"return {LIVE}"))

    editor.type("ggOTyped above.<Esc>")
    moved = editor.lua(f"return {HUNKS}")
    assert [each["first"] for each in moved] == [each["first"] + 1 for each in (first, *others)]
    editor.type("u")

    editor.type(":Forge diff<CR>")
    editor.wait("vim.fn.tabpagenr('$') == 2 and vim.wo.diff")
    editor.type("<C-w>hgt")
    editor.lua("vim.fn.cursor(1, 1)")
    editor.press("<Plug>(forge-next)")
    assert editor.lua("return vim.fn.line('.') - 1") == first["first"]
    editor.press("<Plug>(forge-accept)")
    assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
    editor.wait(f"#{HUNKS} == a[1]", len(others))
    assert editor.text not in (before, proposed)
    # The diff, which is open beside it, follows.
    accepted = editor.text
    editor.type("gt")
    editor.wait("table.concat(vim.fn.getline(1, '$'), '\\n') .. '\\n' == a[1]", accepted)
    editor.press("q")
    assert editor.text == accepted

    editor.press("G<Plug>(forge-prev)")
    assert editor.lua("return vim.fn.line('.') - 1") >= others[-1]["first"]
    editor.press("<Plug>(forge-reject)")
    assert editor.outcome("Forge: rejecting")["outcome"] == "done", editor.messages
    editor.wait(f"#{HUNKS} == a[1]", len(others) - 1)

    do(editor, "Forge undo", "Forge: undoing")
    assert editor.text == before


def test_all_is_accepted_shown_in_the_history_undone_and_restored(
    editor: Neovim, project: Path
) -> None:
    before = counter_project()
    editor.lua("require('forge').setup({ save_after_accept = true, live = false })")
    do(editor, "Forge edit add a reset button", "Forge: editing")
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
    editor.wait("vim.fn.tabpagenr('$') == 1")

    do(editor, "Forge accept all", "Forge: accepting")
    editor.wait(f"not vim.bo.modified and #{HUNKS} == 0")
    after = {**before, COUNTER: counter_with_reset()}
    assert contents(project) == after
    do(editor, "Forge edit add a step size", "Forge: editing")
    do(editor, "Forge accept all", "Forge: accepting")
    editor.wait("not vim.bo.modified")
    assert contents(project) != after

    show_history(editor)
    editor.find("add a reset button")
    editor.press("<CR>")
    assert editor.outcome("Forge: restoring")["outcome"] == "done", editor.messages
    editor.wait("not vim.bo.modified")
    assert contents(project) == after
    for _ in range(2):
        do(editor, "Forge undo", "Forge: undoing")
    show_history(editor)
    editor.find("accepted")
    editor.press("u")
    assert editor.outcome("Forge: undoing")["outcome"] == "done", editor.messages
    editor.wait("not vim.bo.modified")
    assert contents(project) == before


def test_what_waits_goes_on_being_known_where_it_isnt_drawn_or_the_file_is_read_again(
    editor: Neovim, project: Path
) -> None:
    editor.lua("require('forge').setup({ review = false })")
    do(editor, "Forge edit add a reset button", "Forge: editing")
    editor.wait(f"#{HUNKS} == 1")
    (found,) = editor.lua(f"return {HUNKS}")
    drawn = """vim.iter(vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true })):any(
        function(mark) return mark[4].virt_lines ~= nil end)"""
    assert not editor.lua(f"return {drawn}")

    editor.lua("require('forge').setup({ review = true }); vim.o.autoread = true")
    before = counter_project()[COUNTER]
    (project / COUNTER).write_bytes(b"// Another program's.\n" + before)
    editor.type(":checktime<CR>")
    editor.wait(f"{drawn} and {HUNKS}[1].first == a[1]", found["first"] + 1)
    (project / COUNTER).write_bytes(before)
    editor.type(":edit!<CR>")
    editor.wait(f"#{HUNKS} == 1 and {HUNKS}[1].first == a[1]", found["first"])
    do(editor, "Forge reject file", "Forge: rejecting")
    editor.wait(f"#{HUNKS} == 0")


def test_code_actions_ask_for_the_prompt_and_the_skill_that_they_lack(editor: Neovim) -> None:
    command = f":lua {CLIENTS}[1]:exec_cmd({{ title = '', command = 'forge.edit' }})<CR>"
    editor.type(f"{command}add a reset button<CR>")
    assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
    do(editor, "Forge reject all", "Forge: rejecting")
    # Of a selection, the prompt is asked for just so.
    editor.press("Vj<Plug>(forge-edit)add a reset button<CR>")
    assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
    do(editor, "Forge reject all", "Forge: rejecting")

    editor.lua("vim.schedule(function() vim.cmd('Forge skill') end)")
    editor.answer("1<CR>")
    assert editor.outcome("Forge: looking")["outcome"] == "done", editor.messages


def test_each_project_has_a_server_which_is_asked_from_its_buffers(
    editor: Neovim, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    fill(other, counter_project())
    editor.lua("vim.cmd.edit(...)", str(other / COUNTER))
    editor.wait(f"#{CLIENTS} == 2")
    do(editor, "Forge edit add a reset button", "Forge: editing")
    editor.wait(f"#{HUNKS} == 1")
    editor.press("<Plug>(forge-next)")
    do(editor, "Forge accept", "Forge: accepting")
    editor.save_all()
    # What is no file is of the working directory's project, in which nothing waits.
    editor.type(":enew | setlocal buftype=nofile | Forge accept all<CR>")
    wait_for_message(editor, "Nothing waits for review")
    assert contents(other)[COUNTER] == counter_with_reset()
    assert contents(project) == counter_project()
    editor.lua(
        f"""for _, client in ipairs({CLIENTS}) do
          if client.root_dir == ... then client:stop() end
        end""",
        str(other),
    )
    editor.wait(f"#{CLIENTS} == 1")


def test_subcommands_complete_health_is_told_and_help_is_found(editor: Neovim) -> None:
    offered = completions(editor, "Forge ")
    assert {"generate", "edit", "accept", "sandbox", "conversation"} <= set(offered)
    assert completions(editor, "Forge conversation s") == ["show", "switch"]
    assert completions(editor, "Forg accept ") == ["hunk", "file", "all"]
    assert completions(editor, "Forge cancel ") == []

    editor.lua("vim.g.forge = { live = 0, reviews = true }; vim.cmd('checkhealth forge')")
    assert "OK forge-lsp " in editor.text
    assert "WARNING The option live is either true or false" in editor.text
    assert "WARNING There is no option reviews" in editor.text
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


@pytest.mark.sandbox
def test_the_sandbox_and_its_preview_are_looked_at_filled_and_ended(
    workspace: Path, home: Home, browser: Path
) -> None:
    fill(workspace, counter_project())
    path = f"{browser.parent}:{os.environ['PATH']}"
    with plugged(workspace, home, PATH=path) as editor:
        editor.open(COUNTER)
        do(editor, "Forge sandbox create", "Forge: making a sandbox")
        editor.type(":Forge sandbox status<CR>")
        wait_for_message(editor, "lives; its preview is at http://")
        editor.type(":Forge sandbox files<CR>")
        wait_for_list(editor, "files", COUNTER)
        editor.type(":Forge sandbox logs<CR>")
        wait_for_list(editor, "logs", "[")
        editor.type(":Forge sandbox diagnostics<CR>")
        wait_for_message(editor, "no problems in the preview")
        url, told = editor.request("forge.sandbox.status")["url"], browser.parent / "opened"
        for command in ("open", "sandbox open"):
            told.write_text("")
            editor.type(f":Forge {command}<CR>")
            editor.wait("vim.fn.getfsize(a[1]) >= a[2]", str(told), len(url))
            assert told.read_text() == url

        do(editor, "Forge install clsx", "Forge: installing")
        editor.save_all()
        assert b'"clsx"' in contents(workspace)["package.json"]

        editor.find("useState(0)")
        editor.type("ccconst [count, setCount]: number = useState(0);<Esc>")
        editor.save_all()
        editor.wait("#vim.diagnostic.get(0) > 0")
        editor.type(":Forge sandbox diagnostics<CR>")
        editor.wait("vim.bo.buftype == 'quickfix'")
        editor.type(":cclose<CR>")
        editor.find("useState(0)")
        do(editor, "Forge fix", "Forge: mending")
        editor.wait(f"#{HUNKS} == 1")
        do(editor, "Forge reject file", "Forge: rejecting")
        editor.wait(f"#{HUNKS} == 0")
        editor.type(":Forge sandbox run<CR>")
        wait_for_message(editor, "Only a Python file of the workspace can be run")

        editor.type(":Forge sandbox kill<CR>")
        wait_for_message(editor, "the sandbox has ended")


def test_runs_fragments_conversations_skills_and_builds_are_reached(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    with plugged(workspace, plain_home, **no_node) as editor:
        # What has been said needs no server.
        editor.type(":Forge messages<CR>")
        wait_for_list(editor, "messages", "(nothing)")
        assert editor.lua(f"return #{CLIENTS}") == 0
        # Nothing is open here: the folder is empty.
        editor.type(":Forge status<CR>")
        wait_for_message(editor, "HTTP: http://127.0.0.1:")
        editor.type(":Forge resume<CR>")
        wait_for_message(editor, "No build of this workspace was broken off")
        editor.lua("require('forge').setup({ save_after_accept = true })")
        do(editor, "Forge build<CR>landing page with pricing", "Forge: building")
        editor.type(":Forge diff<CR>")
        editor.wait("(vim.b.forge_diff or ''):find('^after .* %(1/%d+%)$')")
        editor.press("]f")
        editor.wait("(vim.b.forge_diff or ''):find('^after .* %(2/%d+%)$')")
        editor.press("q")
        do(editor, "Forge accept all", "Forge: accepting")
        editor.wait(
            "vim.iter(vim.fn.getbufinfo()):all(function(each) return each.changed == 0 end)"
        )
        assert b"pricing" in contents(workspace)[APP].lower()

        editor.type(":Forge fragments<CR>")
        wait_for_list(editor, "fragments", APP)
        fragment = editor.request("forge.fragments")[0]["id"]
        assert completions(editor, "Forge apply ") == [fragment]
        do(editor, f"Forge apply {fragment}", "Forge: applying")

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
        do(editor, "Forge skill review", "Forge: looking")
        do(editor, "Forge augment seo --dry-run", "Forge: trying")

        editor.type(":Forge runs<CR>")
        wait_for_list(editor, "runs", "build")
        editor.type(":Forge cancel<CR>")
        wait_for_message(editor, "Nothing is under way")
        editor.type(":Forge messages<CR>")
        wait_for_list(editor, "messages", "Nothing is under way")
        editor.type(":Forge nonsense<CR>")
        wait_for_message(editor, "there is no :Forge nonsense")


def show_history(editor: Neovim) -> None:
    editor.type(":Forge history<CR>")
    editor.wait("vim.fn.bufname() == 'forge://history'")


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program like a desktop's opener, which writes down what it is to open."""
    place = tmp_path / "desktop/xdg-open"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nprintf %s "$1" > {place.parent}/opened\n')
    place.chmod(0o755)
    return place
