"""Change sets: the one way in which the workspace changes."""

from dataclasses import dataclass, replace
from typing import Literal

from forge_lsp.paths import ProjectPath

ChangeState = Literal["pending", "accepted", "rejected", "undone"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a change set.

    What is still to be decided is always the difference between `before` and `after`: accepting
    a hunk moves it into `before`, rejecting one takes it out of `after`.
    """

    path: ProjectPath
    before: bytes | None
    """The exact bytes that the change was made for; None where there was no file."""
    after: bytes | None
    """The exact bytes that are proposed; None where the file is to go."""
    state: ChangeState = "pending"
    undo_to: bytes | None = None
    """What stood in the workspace before the first accept; None where there was no file."""
    undo_from: bytes | None = None
    """What the last accept left in the workspace; only this is undone."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one run proposes for one project; it bears its run's id."""

    id: str
    project: str
    """The id of the project: for a workspace folder, its URI."""
    title: str
    created_at: int
    """Milliseconds since the epoch."""
    files: tuple[FileChange, ...]

    @property
    def is_pending(self) -> bool:
        """Whether something in it still waits for a decision."""
        return any(change.state == "pending" for change in self.files)

    def file(self, path: str) -> FileChange | None:
        """The change of `path`, if it holds one."""
        return next((change for change in self.files if change.path == path), None)

    def with_file(self, change: FileChange) -> "ChangeSet":
        """The same set with `change` in place of the one of the same path."""
        files = tuple(change if old.path == change.path else old for old in self.files)
        return replace(self, files=files)
