"""Hunks that wait for review stay with their lines while somebody types."""

import time
from pathlib import Path
from typing import Any

import pytest
from lsp_review import propose
from lsp_wire import Editor

EVENTS = {"events": True}
TEN = "".join(f"line {number}\n" for number in range(10))
AFTER = TEN.replace("line 3\n", "THREE\n").replace("line 8\n", "EIGHT\nNINE\n")


async def lens_lines(client: Editor, uri: str) -> list[int]:
    """The lines of what can be accepted."""
    answer = await client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
    return [
        each["range"]["start"]["line"]
        for each in answer["result"]
        if each["command"]["title"] == "✓ accept"
    ]


async def decisions(client: Editor, uri: str, line: int) -> dict[str, Any]:
    """The commands of the code actions for the change at a line, by verb."""
    place = {"line": line, "character": 0}
    params = {
        "textDocument": {"uri": uri},
        "range": {"start": place, "end": place},
        "context": {"diagnostics": [], "only": ["refactor.rewrite.forge.review"]},
    }
    offered = (await client.ask("textDocument/codeAction", params))["result"]
    return {
        each["title"].split()[1]: each["command"]["arguments"][0]
        for each in offered
        if each["title"].endswith("this change")
    }


async def opened(client: Editor, workspace: Path) -> str:
    """A document with two hunks that wait for review."""
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(TEN)
    uri = client.open("a.txt")
    await propose(client, {"a.txt": AFTER})
    assert await lens_lines(client, uri) == [3, 8]
    return uri


@pytest.mark.parametrize("verb", ["accept", "reject"])
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (TEN.replace("line 1\n", "line 1\nmine\nmine too\n"), 5),
        (TEN.replace("line 6\n", "mine\n"), 3),
        (TEN.replace("line 0\nline 1\n", ""), 1),
        (TEN.replace("\n", "\r\n").replace("line 1\r\n", "line 1\r\nmine\r\n"), 4),
    ],
    ids=["typed above", "typed below", "deleted above", "other line ends, and typed above"],
)
async def test_a_hunk_is_where_its_lines_are_and_is_decided_there(
    client: Editor, workspace: Path, typed: str, line: int, verb: str
) -> None:
    uri = await opened(client, workspace)
    client.type(uri, typed)
    assert (await lens_lines(client, uri))[0] == line
    assert await decisions(client, uri, 2 if line == 1 else 0) == {}
    choice = (await decisions(client, uri, line))[verb]
    assert choice["hunk"] == 0
    last = await client.run(f"forge.review.{verb}", choice)
    assert last["outcome"] == "completed", last
    wanted = typed.replace("line 3", "THREE") if verb == "accept" else typed
    assert client.documents[uri] == wanted
    assert len(await lens_lines(client, uri)) == 1


async def test_a_hunk_whose_own_lines_were_rewritten_is_at_the_nearest_and_left_alone(
    client: Editor, workspace: Path
) -> None:
    uri = await opened(client, workspace)
    typed = "mine\n" + TEN.replace("line 3\n", "my own three\n")
    client.type(uri, typed)
    assert await lens_lines(client, uri) == [4, 9]
    refused = await client.run("forge.review.accept", (await decisions(client, uri, 4))["accept"])
    assert refused["outcome"] == "failed"
    assert "a.txt" in refused["message"]
    assert client.documents[uri] == typed
    assert await lens_lines(client, uri) == [4, 9]
    last = await client.run("forge.review.reject", (await decisions(client, uri, 4))["reject"])
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == typed
    last = await client.run("forge.review.accept", (await decisions(client, uri, 9))["accept"])
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == typed.replace("line 8\n", "EIGHT\nNINE\n")


async def test_a_lens_that_is_clicked_twice_decides_nothing_else(
    client: Editor, workspace: Path
) -> None:
    uri = await opened(client, workspace)
    first, second = [(await decisions(client, uri, line))["accept"] for line in (3, 8)]
    assert (await client.run("forge.review.accept", first))["outcome"] == "completed"
    again = await client.command("forge.review.accept", first)
    assert "was decided already" in again["error"]["message"]
    assert client.documents[uri] == TEN.replace("line 3\n", "THREE\n")
    # The other one's number has changed meanwhile, and it is found all the same.
    assert second["hunk"] == 1
    assert (await client.run("forge.review.accept", second))["outcome"] == "completed"
    assert client.documents[uri] == AFTER


async def test_typing_inside_a_hunk_of_several_lines_keeps_it_one(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(TEN)
    uri = client.open("a.txt")
    await propose(client, {"a.txt": TEN.replace("line 3\nline 4\n", "THREE\nFOUR\n")})
    client.type(uri, TEN.replace("line 4\n", "mine\nline 4\n"))
    assert await lens_lines(client, uri) == [3]
    for line in (3, 4, 5):
        assert (await decisions(client, uri, line))["accept"]["hunk"] == 0
    assert await decisions(client, uri, 6) == {}


async def test_a_document_that_is_opened_again_is_looked_at_anew(
    client: Editor, workspace: Path
) -> None:
    uri = await opened(client, workspace)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert await lens_lines(client, uri) == [3, 8]
    client.open("a.txt", f"new\n{TEN}")
    assert await lens_lines(client, uri) == [4, 9]


async def test_lines_that_end_at_a_lone_cr_count_as_the_editor_counts_them(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    text = "one\rtwo\nthree\nfour\n"
    (workspace / "a.txt").write_bytes(text.encode())
    uri = client.open("a.txt")
    await propose(client, {"a.txt": text.replace("three", "THREE")})
    assert await lens_lines(client, uri) == [2]


async def test_places_in_a_long_file_are_found_in_an_instant(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    lines = [f"const value_{number} = {number};\n" for number in range(20_000)]
    (workspace / "a.ts").write_text("".join(lines))
    uri = client.open("a.ts")
    changed = [*lines[:100], "new\n", *lines[101:19_000], "new\n", *lines[19_000:]]
    await propose(client, {"a.ts": "".join(changed)})
    assert await lens_lines(client, uri) == [100, 19_000]
    took: list[float] = []
    for number in range(10):
        above = number // 2 + 1
        lines = [f"typed {number}\n", *lines] if number % 2 == 0 else [*lines, f"typed {number}\n"]
        client.type(uri, "".join(lines))
        # Until the document is there, nothing says how long the places took.
        await client.ask("textDocument/codeLens", {"textDocument": {"uri": f"{uri}x"}})
        started = time.perf_counter()
        assert await lens_lines(client, uri) == [100 + above, 19_000 + above]
        took.append(time.perf_counter() - started)
    assert sorted(took)[5] < 0.1
