"""A real Neovim without any plugin: from a comment to files on disk, and back."""

import json
from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim import Neovim, opened
from e2e_preview import wait_for
from e2e_projects import APP, COUNTER, counter_project, counter_with_reset

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

WISH = "// Größe 🙂\n// forge: create a counter app\nexport default function App() {}\n"
RESET_WISH = "// forge: add a reset button\n"
SLOW = "0.03"
"""Seconds for each piece of the model's reply: an edit takes some seconds."""
CANCEL_WITHIN_S = 4.0
"""One second on a quiet machine; the slow model goes on for far longer."""


def test_a_comment_becomes_an_app_on_disk_and_undo_gives_every_byte_back(
    workspace: Path, home: Home
) -> None:
    before = {APP: WISH.encode()}
    fill(workspace, before)
    with opened(workspace, home) as editor:
        editor.open(APP)
        _do(editor, "forge: create a counter app")
        run = editor.outcome("Forge: editing")
        assert run["outcome"] == "done", editor.messages
        assert any(f"Writing {COUNTER}" in message for message in run["messages"])
        assert contents(workspace) == before
        url = editor.request("forge.sandbox.status")["url"]
        wait_for(url, f"/{COUNTER}", "Increment")

        editor.code_action("Forge: accept all")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.save_all()
        assert contents(workspace) == counter_project()
        assert json.loads(contents(workspace)["package.json"])["dependencies"]["react"]
        wait_for(url, f"/{APP}", "Counter")

        editor.request("forge.undo")
        assert editor.outcome("Forge: undoing")["outcome"] == "done", editor.messages
        editor.save_all()
        assert contents(workspace) == before


def test_what_is_typed_while_a_run_streams_stays(workspace: Path, home: Home) -> None:
    with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        before = _ask_for_reset(workspace, editor)
        editor.type("Go// Typed meanwhile.<Esc>")
        assert editor.is_under_way("Forge: editing")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages
        assert editor.text == before + "// Typed meanwhile.\n"

        editor.code_action("Forge: accept all")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.save_all()
        saved = (workspace / COUNTER).read_text()
        assert saved == f"{RESET_WISH}{counter_with_reset().decode()}// Typed meanwhile.\n"


def test_what_is_typed_into_a_file_that_the_model_rewrites_stays(
    workspace: Path, home: Home
) -> None:
    fill(workspace, {APP: WISH.encode()})
    with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        editor.open(APP)
        _do(editor, "forge: create a counter app")
        editor.wait_for_progress("Forge: editing", f"Writing {COUNTER}")
        editor.type("Go// Typed meanwhile.<Esc>")
        assert editor.is_under_way("Forge: editing")
        editor.outcome("Forge: editing")

        editor.code_action("Forge: accept all")
        editor.outcome("Forge: accepting")
        editor.save_all()
        assert "// Typed meanwhile." in (workspace / APP).read_text(), editor.messages


def test_what_is_typed_right_beside_the_models_lines_stays(workspace: Path, home: Home) -> None:
    with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        before = _ask_for_reset(workspace, editor)
        editor.find("          Increment")
        editor.type("ccAdd one<CR></button><CR><button><Esc>")
        assert editor.text != before
        assert editor.is_under_way("Forge: editing")
        assert editor.outcome("Forge: editing")["outcome"] == "done", editor.messages

        editor.code_action("Forge: accept all")
        assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
        editor.save_all()
        saved = (workspace / COUNTER).read_text()
    assert "Add one\n" in saved, "what was typed stays"
    assert "          Increment" not in saved, "what was typed over doesn't come back"
    assert "Reset\n" in saved, "what the model wrote is there, too"


def test_a_cancel_in_mid_stream_ends_the_run_and_leaves_the_workspace_alone(
    workspace: Path, home: Home
) -> None:
    with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        before = _ask_for_reset(workspace, editor)
        asked_s = editor.now_s()
        editor.request("forge.cancel")
        run = editor.outcome("Forge: editing")
        assert run["outcome"] == "cancelled"
        assert run["ended_s"] - asked_s < CANCEL_WITHIN_S
        assert editor.text == before
        assert contents(workspace) == {**counter_project(), COUNTER: before.encode()}


def _ask_for_reset(workspace: Path, editor: Neovim) -> str:
    """Begin an edit of the counter, and wait until the model writes; gives the file's text."""
    before = RESET_WISH + counter_project()[COUNTER].decode()
    fill(workspace, {**counter_project(), COUNTER: before.encode()})
    editor.open(COUNTER)
    _do(editor, RESET_WISH.strip())
    editor.wait_for_progress("Forge: editing", f"Writing {COUNTER}")
    return before


def _do(editor: Neovim, comment: str) -> None:
    editor.find(comment)
    editor.code_action("Forge: do this")
