"""One truth in a real Neovim: what is edited anywhere shows in buffer, preview and fragment."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_home import Home, contents, fill
from e2e_http import Server, mounted, served
from e2e_nvim import Neovim, opened
from e2e_preview import wait_for
from e2e_projects import COUNTER, counter_project

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(300)]

WISH = "// forge: make it dark at night"
DAY, NIGHT = "bg-white p-8", "bg-slate-900 p-8"
"""What one of the hunks replaces, and by what."""
OTHER_HUNK = "bg-slate-800 px-4"
BEFORE, LABEL = "          Increment\n", "          Add one\n"
LOOK_EVERY_S = 0.05
WAIT_S = 30.0


@pytest.fixture
def editor(workspace: Path, home: Home) -> Iterator[Neovim]:
    """A Neovim with the counter open, of which a change of two hunks waits for review."""
    text = f"{WISH}\n{counter_project()[COUNTER].decode()}"
    fill(workspace, {**counter_project(), COUNTER: text.encode()})
    with opened(workspace, home) as editor:
        editor.open(COUNTER)
        editor.find(WISH)
        editor.code_action("Forge: do this")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
        yield editor


def test_a_patch_by_curl_shows_in_the_open_buffer_and_the_preview(
    editor: Neovim, home: Home, workspace: Path
) -> None:
    accept(editor)
    patch_and_see(editor, mounted(home), workspace)


def test_a_patch_at_another_server_shows_there_too(
    editor: Neovim, home: Home, workspace: Path
) -> None:
    accept(editor)
    with served(home) as server:
        patch_and_see(editor, server, workspace)


def test_what_is_typed_meanwhile_and_a_patch_both_stay(
    editor: Neovim, home: Home, workspace: Path
) -> None:
    accept(editor)
    editor.type("Go// Typed and not saved.<Esc>")
    patch_and_see(editor, mounted(home), workspace)
    assert editor.text.endswith("// Typed and not saved.\n")


def test_a_save_shows_in_the_fragment_and_the_preview(editor: Neovim, home: Home) -> None:
    accept(editor)
    server = mounted(home)
    before = fragment_of(editor, server)
    editor.find(BEFORE.strip())
    editor.type("ccAdd one<Esc>")
    editor.save_all()
    wait_for(preview_of(editor), f"/{COUNTER}", LABEL.strip())
    deadline = time.monotonic() + WAIT_S
    while (now := fragment_of(editor, server))["files"][COUNTER] != editor.text:
        assert time.monotonic() < deadline, now
        time.sleep(LOOK_EVERY_S)
    assert now["updatedAt"] > before["updatedAt"]


def test_a_save_leaves_what_waits_for_review_where_it_shows(editor: Neovim, home: Home) -> None:
    editor.find(WISH)
    editor.type("cc// Written by hand.<Esc>")
    editor.find(BEFORE.strip())
    editor.type("ccAdd one<Esc>")
    editor.save_all()
    url, server = preview_of(editor), mounted(home)
    wait_for(url, f"/{COUNTER}", LABEL.strip())
    wait_for(url, f"/{COUNTER}", NIGHT)
    deadline = time.monotonic() + WAIT_S
    while LABEL.strip() not in (text := fragment_of(editor, server)["files"][COUNTER]):
        assert time.monotonic() < deadline, text
        time.sleep(LOOK_EVERY_S)
    assert NIGHT in text
    assert NIGHT not in editor.text


def test_a_rejected_hunk_is_neither_in_the_file_nor_in_the_preview(
    editor: Neovim, home: Home, workspace: Path
) -> None:
    url = preview_of(editor)
    wait_for(url, f"/{COUNTER}", NIGHT)
    editor.find(DAY)
    editor.code_action("Forge: reject this change")
    assert editor.outcome("Forge: rejecting")["outcome"] == "done", editor.messages
    wait_for(url, f"/{COUNTER}", DAY)
    accept(editor)
    saved = contents(workspace)[COUNTER].decode()
    assert (DAY in saved, NIGHT in saved, OTHER_HUNK in saved) == (True, False, True)
    assert fragment_of(editor, mounted(home))["files"][COUNTER] == saved
    wait_for(url, f"/{COUNTER}", DAY)


def accept(editor: Neovim) -> None:
    """Take over all that waits, and save it."""
    editor.code_action("Forge: accept all")
    assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
    editor.save_all()


def patch_and_see(editor: Neovim, server: Server, workspace: Path) -> None:
    """Write another label by curl into the fragment's file, and see it in buffer and preview."""
    fragment = fragment_of(editor, server)
    text = fragment["files"][COUNTER].replace(BEFORE, LABEL)
    body = {"files": {COUNTER: text}, "projectId": workspace.as_uri()}
    answer = server.patch(f"/api/fragments/{fragment['id']}", body)
    assert answer["files"][COUNTER] == text
    editor.wait(
        "table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n'):find(a[1], 1, true)",
        LABEL,
    )
    assert BEFORE not in editor.text
    wait_for(preview_of(editor), f"/{COUNTER}", LABEL.strip())


def preview_of(editor: Neovim) -> str:
    return editor.request("forge.sandbox.status")["url"]


def fragment_of(editor: Neovim, server: Server) -> dict[str, Any]:
    """The newest one, as HTTP has it."""
    known = editor.request("forge.fragments")[0]
    return server.get(f"/api/fragments/{known['id']}")
