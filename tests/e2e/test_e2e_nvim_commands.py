"""What there is behind `:Forge` in a real Neovim: the sandbox, and all that is begun and listed in
an empty folder."""

import os
from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim_plugin import (
    CLIENTS,
    HUNKS,
    completions,
    do,
    plugged,
    wait_for_list,
    wait_for_message,
)
from e2e_projects import APP, COUNTER, counter_project

pytestmark = [pytest.mark.slow]


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


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program like a desktop's opener, which writes down what it is to open."""
    place = tmp_path / "desktop/xdg-open"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nprintf %s "$1" > {place.parent}/opened\n')
    place.chmod(0o755)
    return place
