"""What an accept's edit looks like to each kind of editor, as a whole."""

from pathlib import Path
from typing import Any

from lsp_wire import BARE, VS_CODE, Editor

EVENTS = {"events": True}
SIX = "".join(f"line {number}\n" for number in range(1, 7))
FILES: dict[str, str | None] = {"a.txt": SIX.replace("line 2\n", "TWO\n"), "new.txt": "new\n"}
ANNOTATING: dict[str, Any] = {
    **VS_CODE,
    "workspace": {
        **VS_CODE["workspace"],
        "workspaceEdit": {
            **VS_CODE["workspace"]["workspaceEdit"],
            "changeAnnotationSupport": {"groupsOnLabel": True},
        },
    },
}
SECOND_LINE = {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}


async def edit_of(
    client: Editor, workspace: Path, capabilities: dict[str, Any], *undone: str
) -> tuple[str, dict[str, Any]]:
    """The run's id and the edit that a change of two files is made by, or undone by."""
    await client.initialize(capabilities, options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    answer = await client.command("forge.apply", {"files": FILES, "target": "workspace"})
    run_id = answer["result"]["runId"]
    assert (await client.wait_for_end(run_id))["outcome"] == "completed"
    for command in undone:
        await client.run(command)
    return run_id, client.requests("workspace/applyEdit")[-1]["edit"]


def changes(workspace: Path, marked: dict[str, str], *, creates: bool) -> list[dict[str, Any]]:
    """The changes of both files, with what marks them."""
    edited = {"uri": (workspace / "a.txt").as_uri(), "version": None}
    new = (workspace / "new.txt").as_uri()
    create = [{"kind": "create", "uri": new, **marked}] if creates else []
    return [
        {
            "textDocument": edited,
            "edits": [{"range": SECOND_LINE, "newText": "TWO\n", **marked}],
        },
        *create,
        {
            "textDocument": {"uri": new, "version": None},
            "edits": [{"range": WHOLE, "newText": "new\n", **marked}],
        },
    ]


async def test_an_editor_that_shows_annotations_gets_one(client: Editor, workspace: Path) -> None:
    run_id, edit = await edit_of(client, workspace, ANNOTATING)
    assert edit == {
        "documentChanges": changes(workspace, {"annotationId": "forge"}, creates=True),
        "changeAnnotations": {
            "forge": {
                "label": "Apply 2 file(s)",
                "needsConfirmation": False,
                "description": f"{run_id} · +2 -1",
            }
        },
    }


async def test_an_undo_says_so(client: Editor, workspace: Path) -> None:
    _, edit = await edit_of(client, workspace, ANNOTATING, "forge.undo")
    annotation = edit["changeAnnotations"]["forge"]
    assert annotation["label"] == "Undo Forge: Apply 2 file(s)"
    assert annotation["needsConfirmation"] is False
    assert annotation["description"].endswith("· +1 -2")
    _, delete = edit["documentChanges"]
    assert delete == {
        "kind": "delete",
        "uri": (workspace / "new.txt").as_uri(),
        "annotationId": "forge",
    }


async def test_an_editor_that_does_not_gets_none(client: Editor, workspace: Path) -> None:
    _, edit = await edit_of(client, workspace, VS_CODE)
    assert edit == {"documentChanges": changes(workspace, {}, creates=True)}


def texts(workspace: Path) -> dict[str, Any]:
    """The same for an editor that takes no more than texts to replace."""
    edits = changes(workspace, {}, creates=False)
    return {each["textDocument"]["uri"]: each["edits"] for each in edits}


async def test_an_editor_that_declares_nothing_gets_text_edits_alone(
    client: Editor, workspace: Path
) -> None:
    _, edit = await edit_of(client, workspace, BARE)
    assert edit == {"changes": texts(workspace)}


async def test_annotations_without_document_changes_are_not_given(
    client: Editor, workspace: Path
) -> None:
    capabilities = {"workspace": {"workspaceEdit": {"changeAnnotationSupport": {}}}}
    _, edit = await edit_of(client, workspace, capabilities)
    assert edit == {"changes": texts(workspace)}
