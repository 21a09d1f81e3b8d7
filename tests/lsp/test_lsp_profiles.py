"""The main job in every editor: as it declares itself, and with nothing that it doesn't take."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_profiles import Profile, ProfiledEditor, connected, profiles, undeclared
from lsp_profiles import undeclared_in_action as undeclared_in
from lsp_wire import SERVER, server_environment
from memory_sandbox import TEMPLATE

from forge_lsp.claude.demo.catalogue import apps

COUNTER = "src/Counter.tsx"
WISH = "// forge: add a reset button, please\n"
ODD = "é😀 and\n\U0001d4b3 a last line without an end"
ODD_AFTER = "é😀 and\n\U0001d4b3 another last line"
BEFORE_IT = "let é😀 = "
UNITS = {"utf-8": 13, "utf-16": 10, "utf-32": 9}
"""How long that is in each encoding."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where one server listens, with a session for every editor that connects."""
    home = tmp_path_factory.mktemp("home")
    with subprocess.Popen(
        [sys.executable, SERVER],
        stdout=subprocess.PIPE,
        env=server_environment(home, LSP_TEST_TRANSPORT="tcp"),
    ) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("profile", profiles(), ids=lambda each: each.name)
async def test_the_main_job_is_done_in_each_editor(
    port: int, workspace: Path, profile: Profile
) -> None:
    before = _fill(workspace)
    async with connected(port, workspace, profile) as client:
        await _carry_the_comment_out(client)
        await _files_come_and_go(client)
        client.save_all()
        assert (workspace / COUNTER).read_bytes() == before[COUNTER]
        assert (workspace / "odd.txt").read_bytes() == before["odd.txt"]
        _nothing_else_came(client)


async def _carry_the_comment_out(client: ProfiledEditor) -> None:
    uri = client.open(COUNTER, language="typescriptreact")
    offered = await client.actions(uri, 0)
    assert "Forge: do this to the selection" not in offered
    assert await client.take(offered["Forge: do this"]) == "done"
    assert client.documents[uri].startswith(WISH), "nothing is changed before it is reviewed"
    offered = await client.actions(uri, 0)
    assert [
        each for action in offered.values() for each in undeclared_in(client.profile, action)
    ] == []
    assert await client.take(offered["Forge: accept all"]) == "done"
    assert "reset" in client.documents[uri].lower().removeprefix(WISH.lower())
    client.save_all()
    assert (client.root / COUNTER).read_bytes().decode() == client.documents[uri]
    assert await client.outcome("forge.undo") == "done"


async def _files_come_and_go(client: ProfiledEditor) -> None:
    files = {"odd.txt": ODD_AFTER, "deep/new.ts": f"{BEFORE_IT}BROKEN;\n"}
    assert await client.outcome("forge.apply", {"files": files, "target": "workspace"}) == "done"
    client.save_all()
    for path, text in files.items():
        assert (client.root / path).read_bytes().decode() == text
    new = (client.root / "deep/new.ts").as_uri()
    marked = await client.wait(lambda message: _marks(message, new))
    (mark,) = _marks(marked, new)
    assert mark["range"]["start"] == {"line": 0, "character": UNITS[client.encoding]}
    deletes = "delete" in (
        client.profile.has("workspace", "workspaceEdit", "resourceOperations") or ()
    )
    assert await client.outcome("forge.undo") == ("done" if deletes else "failed")
    assert (client.root / "deep/new.ts").exists() is not deletes
    if not deletes:
        told = await client.wait(lambda message: "delete it yourself" in str(message.get("params")))
        assert "deep/new.ts" in told["params"]["message"]
        client.close_document("deep/new.ts")
        (client.root / "deep/new.ts").unlink()
        assert await client.outcome("forge.undo") == "done"


def _fill(workspace: Path) -> dict[str, bytes]:
    """A counter that waits for a reset button, and a file that is odd in every encoding."""
    counter = dict(next(app for app in apps() if app.title == "a counter").files)
    texts = {**counter, COUNTER: WISH + counter[COUNTER], "odd.txt": ODD}
    files = {str(path): content for path, content in TEMPLATE.items()}
    files |= {path: text.encode() for path, text in texts.items()}
    for path, content in files.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(content)
    return files


def _marks(message: dict[str, Any], uri: str) -> list[dict[str, Any]]:
    """What a message marks in the document."""
    is_marking = message.get("method") == "textDocument/publishDiagnostics"
    return (
        message["params"]["diagnostics"] if is_marking and message["params"]["uri"] == uri else []
    )


def _nothing_else_came(client: ProfiledEditor) -> None:
    came = [each for each in client.received if "method" in each]
    assert [each for message in came for each in undeclared(client.profile, message)] == []
    if client.profile.has("window", "workDoneProgress"):
        made = [each["token"] for each in client.requests("window/workDoneProgress/create")]
        told = client.requests("$/progress")
        assert len(set(made)) == len(made) == len(client.ends)
        assert {each["token"] for each in told} == set(made)


@pytest.mark.parametrize("name", ["helix", "neovim", "vim"])
async def test_an_edit_that_comes_too_late_loses_nothing(
    port: int, workspace: Path, name: str
) -> None:
    """However the editor takes it: one refuses, one drops it and says that it was made, one makes
    it with what was typed."""
    profile = next(each for each in profiles() if each.name == name)
    text = "one\ntwo\nthree\n"
    (workspace / "a.txt").write_text(text)
    async with connected(port, workspace, profile) as client:
        uri = client.open("a.txt")
        client.types_first = (uri, f"{text}typed\n")
        files = {"a.txt": text.replace("one", "ONE")}
        asked = ("forge.apply", {"files": files, "target": "workspace"})
        is_made = await client.outcome(*asked) == "done"
        assert is_made is (profile.stale_edits == "makes")
        if not is_made:
            assert client.documents[uri] == f"{text}typed\n"
            assert await client.outcome("forge.review.accept") == "done"
        assert client.documents[uri] == "ONE\ntwo\nthree\ntyped\n"
        assert await client.outcome("forge.undo") == "done"
        assert client.documents[uri] == f"{text}typed\n"
