"""forge.review.accept, .reject, .diff and forge.undo."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp.changes.unified import unified_diff
from forge_lsp.errors import NotFound, StoreFailed
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session, Started

if TYPE_CHECKING:
    from forge_lsp.actions.review import Choice
    from forge_lsp.changes.sets import FileChange


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
    session: Session, given: arguments.Review, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Show what is pending as a patch, in a file that any editor can open."""
    del token
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    change_set = await engine.reviews.find(workspace.project, given.change_set_id)
    changes: Sequence[FileChange] = change_set.pending
    if given.path is not None:
        changes = [change for change in changes if change.path == given.path]
    text = unified_diff(changes)
    if not text:
        raise NotFound("Nothing of that waits for review.")
    place = engine.places.state / "reviews" / f"{change_set.id}.diff"
    await asyncio.to_thread(_write, place, text)
    uri = place.as_uri()
    if not (
        session.client.has_show_document and await session.client.show_document(uri, external=False)
    ):
        session.client.show(f"What waits for review: {place}")
    return {"changeSetId": change_set.id, "uri": uri, "diff": text}


def _choice(given: arguments.Review) -> "Choice":
    from forge_lsp.actions.review import Choice

    return Choice(given.change_set_id, arguments.project_path(given.path), given.hunk)


def _write(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        # Half a patch would look like a whole one.
        with suppress(OSError):
            place.unlink(missing_ok=True)
        raise StoreFailed(f"{place} can't be written: {error.strerror}.") from error
