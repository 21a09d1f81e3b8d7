"""Code actions and lenses: what is offered where."""

import time
from pathlib import Path
from typing import Any

from lsp_wire import BARE, Editor

EVENTS = {"events": True}
SIX = "".join(f"line {number}\n" for number in range(1, 7))


def lines(first: int, last: int, column: int = 0) -> dict[str, Any]:
    """A range over lines; a cursor where it is empty."""
    return {
        "start": {"line": first, "character": 0},
        "end": {"line": last, "character": column},
    }


def between(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    """A range within lines."""
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }


async def actions(
    client: Editor, uri: str, place: dict[str, Any], only: list[str] | None = None
) -> list[dict[str, Any]]:
    context: dict[str, Any] = {"diagnostics": []}
    if only is not None:
        context["only"] = only
    params = {"textDocument": {"uri": uri}, "range": place, "context": context}
    return (await client.ask("textDocument/codeAction", params))["result"]


async def lenses(client: Editor, uri: str) -> list[dict[str, Any]]:
    return (await client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}}))["result"]


def titles(offered: list[dict[str, Any]]) -> list[str]:
    return [each["title"] for each in offered]


async def test_an_instruction_comment_is_carried_out_where_it_stands(
    client: Editor, workspace: Path
) -> None:
    await client.initialize()
    uri = client.open("a.py", "x = 1\n# forge: make it 2\ny = 1\n")
    assert await actions(client, uri, lines(0, 0)) == []
    (action,) = await actions(client, uri, lines(1, 1))
    assert action["title"] == "Forge: do this"
    assert action["kind"] == "refactor.rewrite.forge"
    assert action["tags"] == [1]
    assert action["command"]["command"] == "forge.edit"
    assert action["command"]["arguments"] == [
        {"prompt": "make it 2", "textDocument": {"uri": uri}, "range": lines(1, 2)}
    ]
    (lens,) = await lenses(client, uri)
    assert (lens["command"]["title"], lens["range"]["start"]["line"]) == ("▶ do this", 1)


async def test_a_selection_with_a_comment_in_or_above_it_is_what_is_meant(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(BARE)
    uri = client.open("a.ts", "// forge: make it 2\nlet x = 1;\nlet y = 1;\nlet z = 1;\n")
    (action,) = await actions(client, uri, lines(1, 2, 5))
    assert action["title"] == "Forge: do this to the selection"
    assert action["command"]["arguments"][0]["range"] == lines(1, 2, 5)
    assert "tags" not in action
    assert await actions(client, uri, lines(2, 3)) == []


async def test_where_an_editor_stands_is_no_selection(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "// forge: make it 2\nlet 😀 = 1;\r\n// forge: and this\n")
    ways = {
        "a word of the comment": ((0, 3), (0, 8)),
        "its text": ((0, 0), (0, 19)),
        "its line": ((0, 0), (1, 0)),
        "its end": ((0, 19), (1, 0)),
    }
    for way, (start, end) in ways.items():
        (action,) = await actions(client, uri, between(start, end))
        assert action["title"] == "Forge: do this", way
        assert action["command"]["arguments"][0]["range"] == lines(0, 1), way
    for start, end in (((1, 0), (1, 1)), ((1, 4), (1, 6))):
        assert await actions(client, uri, between(start, end)) == [], (start, end)
    (action,) = await actions(client, uri, between((1, 0), (1, 3)))
    assert action["title"] == "Forge: do this to the selection"


async def test_kinds_are_hierarchical(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "// forge: make it 2\n")
    for only in (["refactor"], ["refactor.rewrite"], ["refactor.rewrite.forge"], [""]):
        assert len(await actions(client, uri, lines(0, 0), only)) == 1, only
    for only in (["refactor.rewrite.for"], ["quickfix"], ["source"], []):
        assert await actions(client, uri, lines(0, 0), only) == [], only


async def test_the_prompt_file_is_generated_from(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open(".forge/prompt.md", "Create a counter.\n")
    (action,) = await actions(client, uri, lines(0, 0), ["source"])
    assert action["title"] == "Forge: generate from this file"
    assert action["command"]["command"] == "forge.generate"
    assert action["command"]["arguments"][0]["prompt"] == "Create a counter.\n"


async def test_without_a_folder_the_way_to_one_is_offered(client: Editor) -> None:
    await client.initialize(folders=[])
    uri = client.open("a.ts", "x\n")
    (action,) = await actions(client, uri, lines(0, 0))
    assert action["title"] == "Forge: set up a workspace"
    assert action["kind"] == "source.forge"
    answer = await client.command(action["command"]["command"])
    assert "error" not in answer
    assert any("Open a project folder" in told for told in client.messages())
    failed = await client.command("forge.generate", {"prompt": "x"})
    assert "No folder is open" in failed["error"]["message"]


async def test_pending_changes_can_be_decided_from_the_document(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    uri = client.open("a.txt")
    honest = client.answers["workspace/applyEdit"]
    client.answers["workspace/applyEdit"] = lambda params: {"applied": False}
    after = SIX.replace("line 2\n", "TWO\n").replace("line 5\n", "")
    await client.run("forge.apply", {"files": {"a.txt": after, "b.txt": "b\n"}})
    client.answers["workspace/applyEdit"] = honest

    here = await actions(client, uri, lines(1, 1), ["refactor.rewrite.forge.review"])
    assert titles(here) == [
        "Forge: accept this change",
        "Forge: reject this change",
        "Forge: accept this file",
        "Forge: reject this file",
        "Forge: accept all",
        "Forge: reject all",
        "Forge: show diff",
    ]
    elsewhere = await actions(client, uri, lines(0, 0), ["refactor"])
    assert "Forge: accept this change" not in titles(elsewhere)
    other = client.open("c.txt", "c\n")
    everywhere = titles(await actions(client, other, lines(0, 0), ["refactor"]))
    assert everywhere == ["Forge: accept all", "Forge: reject all", "Forge: show diff"]

    shown = await lenses(client, uri)
    assert [each["command"]["title"] for each in shown[:3]] == ["✓ accept", "✗ reject", "± diff"]
    assert [each["range"]["start"]["line"] for each in shown] == [1, 1, 1, 4, 4, 4]

    (accept, *_) = here
    command = accept["command"]
    last = await client.run(command["command"], *command["arguments"])
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == SIX.replace("line 2\n", "TWO\n")
    assert len(await lenses(client, uri)) == 3


async def test_a_demo_model_offers_the_way_to_a_real_one(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.txt", "x\n")
    await client.command("forge.runs")
    (action,) = await actions(client, uri, lines(0, 0), ["source.forge"])
    assert action["title"] == "Forge: set up a model"
    answer = await client.command(action["command"]["command"])
    assert answer["result"]["model"]["is_canned"] is True
    assert "ANTHROPIC_API_KEY" in client.messages()[-1]


async def test_actions_are_answered_from_memory_while_a_large_file_is_open(
    client: Editor, workspace: Path
) -> None:
    await client.initialize()
    uri = client.open("a.ts", "const x = 1;\n" * 20_000 + "// forge: make it 2\n")
    assert len(await actions(client, uri, lines(20_000, 20_000))) == 1
    started = time.perf_counter()
    for _ in range(20):
        await actions(client, uri, lines(3, 3))
    assert (time.perf_counter() - started) / 20 < 0.1
