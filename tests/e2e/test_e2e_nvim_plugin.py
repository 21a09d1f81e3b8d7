"""The plugin in a real Neovim: prompts typed, changes drawn and decided, one project and two."""

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
    wait_for_message,
)
from e2e_projects import COUNTER, counter_project, counter_with_reset

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
    newest = completions(editor, "Forge undo ")[0]
    for each in (f" {newest}", ""):
        do(editor, f"Forge undo{each}", "Forge: undoing")
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
    # What it found is shown a moment later, and not in the window that is typed in.
    editor.wait(
        "vim.iter(vim.fn.tabpagebuflist()):any(function(each) "
        "return vim.endswith(vim.fn.bufname(each), '.md') end)"
    )
    assert editor.lua("return vim.fn.expand('%')").endswith(COUNTER)


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


def show_history(editor: Neovim) -> None:
    editor.type(":Forge history<CR>")
    editor.wait("vim.fn.bufname() == 'forge://history'")
