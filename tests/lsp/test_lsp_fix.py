"""forge.fix: its command, its quick fixes, the action for all; a line with BROKEN is wrong."""

from pathlib import Path
from typing import Any

from lsp_wire import Editor

EVENTS = {"events": True}
PLACE = {"start": {"line": 1, "character": 3}, "end": {"line": 1, "character": 9}}
FOREIGN = {"range": PLACE, "message": "Unexpected var.\nMore.", "severity": 2, "source": "eslint"}


async def offered(
    client: Editor, uri: str, *diagnostics: dict[str, Any], **context: Any
) -> list[dict[str, Any]]:
    params = {
        "textDocument": {"uri": uri},
        "range": PLACE,
        "context": {"diagnostics": list(diagnostics), **context},
    }
    return (await client.ask("textDocument/codeAction", params))["result"]


async def test_any_servers_diagnostic_has_a_quick_fix(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "let a;\nvar b = 1;\n")
    (action,) = await offered(client, uri, FOREIGN)
    assert action["title"] == 'Forge: fix "Unexpected var."'
    assert action["kind"] == "quickfix.forge"
    assert action["diagnostics"] == [FOREIGN]
    (arguments,) = action["command"]["arguments"]
    assert arguments["textDocument"] == {"uri": uri}
    assert arguments["diagnostics"][0]["message"] == FOREIGN["message"]
    assert await offered(client, uri, FOREIGN, only=["source"]) == []


async def test_a_long_message_makes_a_short_title(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "let a;\nvar b = 1;\n")
    (action,) = await offered(client, uri, {**FOREIGN, "message": "x" * 500})
    assert len(action["title"]) < 80


async def test_all_problems_are_mended_at_once_but_never_by_a_save(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    await client.run("forge.generate", {"prompt": "Create a counter"})
    await client.run("forge.review.accept")
    app = workspace / "src" / "App.tsx"
    good = app.read_text()
    app.write_text(good.replace("return (", "return ( BROKEN", 1))
    uri = client.open("src/App.tsx")
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    diagnostics: list[dict[str, Any]] = []
    while not diagnostics:
        answer = await client.command("forge.sandbox.diagnostics")
        diagnostics = answer["result"]["diagnostics"]
    fix_all = {"only": ["source.fixAll"], "triggerKind": 1}
    (action,) = await offered(client, uri, **fix_all)
    assert action["kind"] == "source.fixAll.forge"
    assert await offered(client, uri, **{**fix_all, "triggerKind": 2}) == []

    last = await client.run("forge.fix", *action["command"]["arguments"])
    assert last["outcome"] == "completed", (last, client.messages())
    await client.run("forge.review.accept")
    assert client.documents[uri] == good
    await client.command("forge.sandbox.diagnostics")
    assert await offered(client, uri, **fix_all) == []


async def test_diagnostics_without_their_file_are_refused_in_a_sentence(client: Editor) -> None:
    await client.initialize()
    answer = await client.command("forge.fix", {"diagnostics": [FOREIGN]})
    assert "isn't part of the workspace" in answer["error"]["message"]
