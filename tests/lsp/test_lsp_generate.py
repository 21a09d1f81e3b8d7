"""From a prompt to files on disk, as an editor sees it."""

from pathlib import Path

from lsp_wire import Editor

EVENTS = {"events": True}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


async def test_a_prompt_in_an_empty_folder_becomes_files_after_accept(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    last = await client.run("forge.generate", {"prompt": "Create a counter component"})
    assert last["outcome"] == "completed", last
    assert names_in(workspace) == set()

    last = await client.run("forge.review.accept")
    assert last["outcome"] == "completed", last
    assert {"package.json", "index.html", "Counter.tsx"} <= names_in(workspace)
    assert await client.leave() == 0
