"""forge.fragments, forge.fragment.update, and how fragments follow saves and reviews."""

from pathlib import Path
from typing import Any

from lsp_wire import Editor

EVENTS = {"events": True}
COUNTER = "src/Counter.tsx"
BETTER = "export default function Counter() {\n  return <p>better</p>;\n}\n"


async def listed(client: Editor) -> list[dict[str, Any]]:
    return (await client.command("forge.fragments"))["result"]


async def generated(client: Editor) -> dict[str, Any]:
    await client.initialize(options=EVENTS)
    assert await listed(client) == []
    await client.run("forge.generate", {"prompt": "Create a counter"})
    (fragment,) = await listed(client)
    return fragment


async def at_version(client: Editor, version: int) -> dict[str, Any]:
    """The newest fragment, once it has that version: a save goes its way in the background."""
    while True:
        fragment = (await listed(client))[0]
        assert fragment["version"] <= version, fragment
        if fragment["version"] == version:
            return fragment


async def test_a_generation_leaves_a_fragment(client: Editor) -> None:
    fragment = await generated(client)
    assert fragment["title"] == "Create a counter"
    assert {COUNTER, "src/App.tsx", "index.html"} <= set(fragment["files"])
    assert [each["reason"] for each in fragment["versions"]] == ["Generated"]
    assert fragment["sandboxUrl"]


async def test_an_update_reaches_the_sandbox_and_what_waits_for_review(
    client: Editor, workspace: Path
) -> None:
    fragment = await generated(client)
    given = {"fragmentId": fragment["id"], "files": {COUNTER: BETTER}}
    answer = (await client.command("forge.fragment.update", given))["result"]
    assert answer["version"] == 2
    assert answer["versions"][0]["changed"] == [COUNTER]
    assert not (workspace / COUNTER).exists()
    await client.run("forge.review.accept")
    assert (workspace / COUNTER).read_text() == BETTER


async def test_an_update_after_the_review_reaches_the_open_document(
    client: Editor, workspace: Path
) -> None:
    fragment = await generated(client)
    await client.run("forge.review.accept")
    uri = client.open(COUNTER)
    given = {"fragmentId": fragment["id"], "files": {COUNTER: BETTER}}
    assert (await client.command("forge.fragment.update", given))["result"]["version"] == 2
    while client.documents[uri] != BETTER:
        await client.wait(lambda message: message.get("method") == "workspace/applyEdit")
        await client.command("forge.status")


async def test_a_save_gives_the_fragment_that_holds_the_file_a_version(
    client: Editor, workspace: Path
) -> None:
    await generated(client)
    await client.run("forge.review.accept")
    (workspace / COUNTER).write_text(BETTER)
    (workspace / "mine.txt").write_text("mine")
    for path in (COUNTER, "mine.txt"):
        uri = client.open(path)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    fragment = await at_version(client, 2)
    assert fragment["versions"][0]["reason"] == "Saved in the editor"
    assert "mine.txt" not in fragment["files"]


async def test_what_is_rejected_leaves_the_fragment_too(client: Editor) -> None:
    await generated(client)
    await client.run("forge.review.reject", {"path": COUNTER})
    fragment = await at_version(client, 2)
    assert COUNTER not in fragment["files"]


async def test_a_fragment_is_applied_again(client: Editor, workspace: Path) -> None:
    fragment = await generated(client)
    await client.run("forge.apply", {"fragmentId": fragment["id"]})
    assert "useState" in (workspace / COUNTER).read_text()
    answer = await client.command("forge.apply", {"fragmentId": "frag_none"})
    assert "frag_none" in answer["error"]["message"]
    answer = await client.command("forge.fragment.update", {"fragmentId": "frag_none"})
    assert "forge.fragments" in answer["error"]["message"]
