"""Change sets: the one way in which the workspace changes.

All of it is algebra on bytes. Whoever accepts asks a `FileChange` what the file should become
(`wanted`), makes it so in the workspace, and then takes down what really happened (`accepted`).
"""

from dataclasses import dataclass, replace
from typing import Literal

from forge_lsp.changes.hunks import Hunk, apply_hunks, hunks_between
from forge_lsp.changes.merge import merge
from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath

ChangeState = Literal["pending", "accepted", "rejected", "undone"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a change set.

    What is still to be decided is always the difference between `before` and `after`: accepting
    a hunk moves it into `before`, rejecting one takes it out of `after`. So hunks are numbered
    anew after each decision.
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

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """What is still to be decided; a file that comes or goes is one hunk, or none if empty."""
        return hunks_between(self.before or b"", self.after or b"")

    @property
    def can_undo(self) -> bool:
        """Whether an accept changed the workspace and was not undone since."""
        return self.undo_to != self.undo_from

    def wanted(self, hunk: int | None = None) -> bytes | None:
        """What `before` becomes once that hunk, or else all of them, is taken over.

        Raises `NotFound` where there is no such hunk.
        """
        if hunk is None:
            return self.after
        hunks = self.hunks
        self._check(hunk, hunks)
        if self.before is None or self.after is None:
            return self.after
        return apply_hunks(self.before, self.after, [hunk])

    def accepted(
        self, found: bytes | None, left: bytes | None, hunk: int | None = None
    ) -> "FileChange":
        """The change after an accept that found `found` in the workspace and left `left` there.

        `hunk` is the one that was accepted; None: all that was left. Raises `NotFound` where
        there is no such hunk.
        """
        before = self.wanted(hunk)
        return replace(
            self,
            before=before,
            state="accepted" if before == self.after else "pending",
            undo_to=self._undo_target(found),
            undo_from=left,
        )

    def rejected(self, hunk: int | None = None) -> "FileChange":
        """The change without that hunk, or else without all that was left to be decided.

        Raises `NotFound` where there is no such hunk.
        """
        after = self._without(hunk)
        decided: ChangeState = "accepted" if self.can_undo else "rejected"
        return replace(self, after=after, state=decided if after == self.before else "pending")

    def undone(self) -> "FileChange":
        """The change after the workspace went back from `undo_from` to `undo_to`."""
        return replace(
            self,
            before=self.undo_to,
            after=self.undo_to,
            state="undone",
            undo_to=None,
            undo_from=None,
        )

    def _without(self, hunk: int | None) -> bytes | None:
        if hunk is None:
            return self.before
        hunks = self.hunks
        self._check(hunk, hunks)
        if self.before is None or self.after is None:
            return self.before
        kept = [index for index in range(len(hunks)) if index != hunk]
        return apply_hunks(self.before, self.after, kept)

    def _check(self, hunk: int, hunks: tuple[Hunk, ...]) -> None:
        if not 0 <= hunk < len(hunks):
            raise NotFound(f"{self.path} has no change number {hunk + 1} to decide on.")

    def _undo_target(self, found: bytes | None) -> bytes | None:
        """What to go back to after an accept that found `found`.

        What the user typed since the last accept must outlive an undo, so it is merged into the
        target; where it doesn't merge, only the accept at hand can be undone.
        """
        if not self.can_undo:
            return found
        if found == self.undo_from:
            return self.undo_to
        if self.undo_from is None or self.undo_to is None or found is None:
            return found
        merged = merge(self.undo_from, self.undo_to, found)
        return found if merged is None else merged


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
        return bool(self.pending)

    @property
    def pending(self) -> tuple[FileChange, ...]:
        """The files that still wait for a decision."""
        return tuple(change for change in self.files if change.state == "pending")

    @property
    def undoable(self) -> tuple[FileChange, ...]:
        """The files that an undo puts back: each from its `undo_from` to its `undo_to`."""
        return tuple(change for change in self.files if change.can_undo)

    def file(self, path: str) -> FileChange | None:
        """The change of `path`, if it holds one."""
        return next((change for change in self.files if change.path == path), None)

    def with_file(self, change: FileChange) -> "ChangeSet":
        """The same set with `change` in place of the one of the same path."""
        files = tuple(change if old.path == change.path else old for old in self.files)
        return replace(self, files=files)
