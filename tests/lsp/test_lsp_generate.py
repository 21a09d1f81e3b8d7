"""From a prompt to files on disk, as an editor sees it."""

from pathlib import Path

from lsp_wire import Editor

EVENTS = {"events": True}


async def test_a_prompt_in_an_empty_folder_becomes_files_after_accept(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    last = await client.run("forge.generate", {"prompt": "Create a counter component"})
    assert last["outcome"] == "completed", last
    assert list(workspace.iterdir()) == []

    last = await client.run("forge.review.accept")
    assert last["outcome"] == "completed", last
    assert (workspace / "package.json").read_bytes()
    assert any("Counter" in path.name for path in workspace.rglob("*.tsx"))
    assert await client.leave() == 0
