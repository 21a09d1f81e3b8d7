"""What waits for review in a document, from memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forge_lsp.lsp.session import Session

if TYPE_CHECKING:
    from forge_lsp.changes.sets import ChangeSet


@dataclass(frozen=True, slots=True)
class PendingHunk:
    """A change at a place in a document that waits for a decision."""

    change_set_id: str
    path: str
    hunk: int
    hunk_id: str
    first_line: int
    """Where it is in the document as it is now."""
    last_line: int

    def arguments(self, uri: str) -> dict[str, Any]:
        """What the review commands take."""
        return {**self.file_arguments(uri), "hunk": self.hunk, "hunkId": self.hunk_id}

    def file_arguments(self, uri: str) -> dict[str, Any]:
        """The same for the whole file."""
        return {
            "changeSetId": self.change_set_id,
            "path": self.path,
            "textDocument": {"uri": uri},
        }


def pending_of(session: Session, uri: str) -> "Sequence[ChangeSet]":
    """What waits for review in the document's workspace, the newest first."""
    engine, workspace = session.late.opened, session.known_workspace(uri)
    if engine is None or workspace is None:
        return ()
    return engine.reviews.pending(workspace.project)


def pending_hunks(session: Session, uri: str) -> Sequence[PendingHunk]:
    """What waits for review in the document itself."""
    workspace = session.known_workspace(uri)
    path = workspace.path_of(uri) if workspace else None
    if path is None:
        return ()
    changes = {
        change_set.id: change
        for change_set in pending_of(session, uri)
        if (change := change_set.file(path)) and change.state == "pending"
    }
    document = session.documents.document(uri)
    text = document.source if document else None
    placed = session.placements.look(uri, text, changes)
    return [
        PendingHunk(change_set_id, path, index, hunk_id, first, last)
        for change_set_id, each in zip(changes, placed, strict=True)
        for index, (hunk_id, (first, last)) in enumerate(zip(each.ids, each.rows, strict=True))
    ]
