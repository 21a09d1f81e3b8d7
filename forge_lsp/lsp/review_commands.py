"""forge.review.accept, .reject, .diff and forge.undo."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp.changes.unified import unified_diff
from forge_lsp.errors import NotFound
from forge_lsp.lsp import arguments, shown_files
from forge_lsp.lsp.content import is_shown, uri_of
from forge_lsp.lsp.placements import rows_now
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from forge_lsp.actions.choices import Choice
    from forge_lsp.actions.engine import Engine
    from forge_lsp.changes.sets import ChangeSet, FileChange


async def accept(
    session: Session, given: arguments.Review, token: types.ProgressToken | None
) -> Started:
    """Make the chosen changes in the workspace."""
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    run = await engine.reviews.accept(workspace, _choice(given))
    return session.follow(engine, run, token)


async def reject(
    session: Session, given: arguments.Review, token: types.ProgressToken | None
) -> Started:
    """Give the chosen changes up."""
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    run = await engine.reviews.reject(workspace, _choice(given))
    return session.follow(engine, run, token)


async def undo(
    session: Session, given: arguments.Undo, token: types.ProgressToken | None
) -> Started:
    """Put back exactly what an accept found."""
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    run = await engine.reviews.undo(workspace, given.change_set_id)
    return session.follow(engine, run, token)


async def diff(
    session: Session, given: arguments.ReviewDiff, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Show what is pending as a patch, in a file that any editor can open; a plugin that asks
    for virtual documents draws it itself."""
    del token
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    try:
        change_set, changes = await _pending(engine, workspace, given)
    except NotFound:
        if not given.quiet:
            raise
        return {"changeSetId": given.change_set_id, "uri": None, "diff": "", "files": []}
    text = unified_diff(changes)
    place = engine.places.state / "reviews" / f"{change_set.id}.diff"
    uri = await shown_files.keep(place, text)
    if not (session.client.shows_content and session.configuration.wants_events):
        await shown_files.show(session.client, place, "What waits for review")
    files = [_sides(workspace, change_set.id, change) for change in changes]
    return {"changeSetId": change_set.id, "uri": uri, "diff": text, "files": files}


async def _pending(
    engine: "Engine", workspace: EditorWorkspace, given: arguments.Review
) -> "tuple[ChangeSet, Sequence[FileChange]]":
    """What waits of a change set; raises `NotFound` where nothing does."""
    change_set = await engine.reviews.find(workspace.project, given.change_set_id)
    changes: Sequence[FileChange] = change_set.pending
    if given.path is not None:
        changes = [change for change in changes if change.path == given.path]
    if not changes:
        raise NotFound("Nothing of that waits for review.")
    return change_set, changes


def _sides(workspace: EditorWorkspace, change_set_id: str, change: "FileChange") -> dict[str, Any]:
    """A file for an editor to draw; without virtual documents where it isn't text."""
    document = workspace.document(change.path)
    uri = document.uri if document else workspace.uri_of(change.path)
    shown = is_shown(change)
    rows = rows_now(change, document.source if document else None)
    return {
        "path": change.path,
        "uri": uri,
        "beforeUri": uri_of(change_set_id, "before", change.path) if shown else None,
        "afterUri": uri_of(change_set_id, "after", change.path) if shown else None,
        "hunks": [
            {
                "hunkId": hunk_id,
                "beforeStart": hunk.before_start,
                "beforeCount": hunk.before_count,
                "afterStart": hunk.after_start,
                "afterCount": hunk.after_count,
                "firstLine": first,
                "lastLine": last,
            }
            for hunk, hunk_id, (first, last) in zip(
                change.hunks, change.hunk_ids, rows, strict=True
            )
        ],
    }


def _choice(given: arguments.Review) -> "Choice":
    from forge_lsp.actions.choices import Choice

    path = arguments.project_path(given.path)
    return Choice(given.change_set_id, path, given.hunk, given.hunk_id)
