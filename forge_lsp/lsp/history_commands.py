"""forge.history and forge.restore."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp.errors import InvalidRequest
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session, Started

if TYPE_CHECKING:
    from forge_lsp.actions.history import HistoryEntry

MOST_LISTED = 100
MOST_SAID = 5
"""Changes that the message names."""


async def history(
    session: Session, given: arguments.History, token: types.ProgressToken | None
) -> list[dict[str, Any]]:
    """The newest first, and the first few of them as a message."""
    del token
    from forge_lsp.actions.history import history as read_history

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    limit = max(1, min(given.limit, MOST_LISTED))
    found = await read_history(engine.store, workspace.project, limit=limit, before=given.before)
    if given.before is None and not given.quiet:
        session.client.show(_said(found))
    return [_told(entry) for entry in found]


async def restore(
    session: Session, given: arguments.Restore, token: types.ProgressToken | None
) -> Started:
    """Make the workspace as it was right after a change set was accepted."""
    if not given.change_set_id:
        raise InvalidRequest(
            "A change to go back to is required.",
            remedy='Give {"changeSetId": "run_…"}; forge.history lists them.',
        )
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    run = await engine.reviews.restore(workspace, given.change_set_id)
    return session.follow(engine, run, token)


def _told(entry: "HistoryEntry") -> dict[str, Any]:
    change_set, run = entry.change_set, entry.run
    return {
        "changeSetId": change_set.id,
        "runId": change_set.id if run else None,
        "kind": run.kind if run else None,
        "title": change_set.title,
        "state": change_set.state,
        "createdAt": change_set.created_at,
        "acceptedAt": change_set.accepted_at,
        "endedAt": run.ended_at if run else None,
        "outcome": run.outcome if run else None,
        "inputTokens": run.input_tokens if run else 0,
        "outputTokens": run.output_tokens if run else 0,
        "costUsd": run.cost_usd if run else None,
        "files": [
            {
                "path": each.path,
                "state": each.state,
                "added": each.added,
                "removed": each.removed,
            }
            for each in change_set.files
        ],
    }


def _said(found: "Sequence[HistoryEntry]") -> str:
    if not found:
        return "Forge has changed nothing in this folder yet."
    lines = [_line(entry) for entry in found[:MOST_SAID]]
    more = len(found) - len(lines)
    return "\n".join([*lines, f"And {more} more."] if more else lines)


def _line(entry: "HistoryEntry") -> str:
    files = entry.change_set.files
    added, removed = sum(each.added for each in files), sum(each.removed for each in files)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return f"{entry.change_set.title}: {count} +{added} -{removed}, {entry.change_set.state}"
