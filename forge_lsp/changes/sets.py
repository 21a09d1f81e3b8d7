"""Change sets: the one way in which the workspace changes.

All of it is algebra on bytes. Whoever accepts asks a `FileChange` what the file should become
(`wanted`), makes it so in the workspace, and then takes down what really happened (`accepted`).
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

import msgspec

from forge_lsp.changes.hunks import Hunk, apply_hunks, hunks_between, lines_changed
from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.merge import Merged, merge_files
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
    accepted_at: int | None = None
    """When the last accept was, in milliseconds since the epoch, and a little later where several
    were at once: by it those of a project stand in order. None where nothing can be undone."""
    added: int = 0
    """Lines that were proposed to come; 0 for what isn't text."""
    removed: int = 0
    """Lines that were proposed to go."""

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """What is still to be decided; a file that comes or goes is one hunk, or none if empty."""
        return hunks_between(self.before or b"", self.after or b"")

    @property
    def hunk_ids(self) -> tuple[str, ...]:
        """A name for each hunk by its lines, which it keeps while others are decided."""
        return tuple(
            sha256(msgspec.msgpack.encode(_lines_in(self, hunk))).hexdigest()[:12]
            for hunk in self.hunks
        )

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
        self, found: bytes | None, left: bytes | None, hunk: int | None = None, *, at: int = 0
    ) -> "FileChange":
        """The change after an accept that found `found` in the workspace and left `left` there.

        `hunk` is the one that was accepted; None: all that was left. `at` is when. Raises
        `NotFound` where there is no such hunk.
        """
        before = self.wanted(hunk)
        target = self.follows(found)
        changed = replace(
            self,
            before=before,
            state="accepted" if before == self.after else "pending",
            undo_to=found if target is None else target.content,
            undo_from=left,
        )
        return _noted(changed, at)

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
            accepted_at=None,
        )

    def undone_in(self, found: bytes | None) -> Merged | None:
        """What a file that holds `found` becomes by the undo: exactly `undo_to` where nothing
        came after the accept. None where what came after stands in the way."""
        return merge_files(self.undo_from, found, self.undo_to)

    def without(self, earlier: "FileChange") -> "FileChange | None":
        """This change as if `earlier`, which was accepted before it, never had been.

        None where the two stand in the same lines.
        """
        target, left = earlier.undone_in(self.undo_to), earlier.undone_in(self.undo_from)
        if target is None or left is None:
            return None
        changed = replace(self, undo_to=target.content, undo_from=left.content)
        return _noted(changed, self.accepted_at)

    def follows(self, found: bytes | None) -> Merged | None:
        """What an undo goes back to after one more accept, which found `found`.

        What the user typed since the last accept must outlive an undo, so it is merged into what
        that goes back to. None where it doesn't merge: then only the accept at hand can be undone.
        """
        return self.undone_in(found) if self.can_undo else Merged(found)

    def hunk_of(self, seen: "FileChange", hunk: int) -> int | None:
        """Which of the hunks is the one that had this number in `seen`, the same change before
        other hunks of it were decided; None where it is no more."""
        if not 0 <= hunk < len(seen.hunks):
            return None
        wanted = seen.hunks[hunk]
        taken = _lines_in(seen, wanted)
        same = [
            (index, each) for index, each in enumerate(self.hunks) if _lines_in(self, each) == taken
        ]
        # An accept leaves the lines after it where they were, a reject those before it.
        if self.after == seen.after:
            same = [each for each in same if each[1].after_start == wanted.after_start]
        elif self.before == seen.before:
            same = [each for each in same if each[1].before_start == wanted.before_start]
        return same[0][0] if len(same) == 1 else None

    def counted(self) -> "FileChange":
        """The change with its lines counted."""
        added, removed = lines_changed(self.before, self.after)
        return replace(self, added=added, removed=removed)

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


def _noted(change: FileChange, at: int | None) -> FileChange:
    return replace(change, accepted_at=at if change.can_undo else None)


def _lines_in(change: FileChange, hunk: Hunk) -> tuple[list[bytes], list[bytes]]:
    """The lines that the hunk takes away and brings."""
    before, after = lines_of(change.before or b""), lines_of(change.after or b"")
    return (
        before[hunk.before_start : hunk.before_start + hunk.before_count],
        after[hunk.after_start : hunk.after_start + hunk.after_count],
    )


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

    @property
    def accepted_at(self) -> int | None:
        """When the last accept was of those that can be undone; None where there is none."""
        return max((each.accepted_at or 0 for each in self.undoable), default=None)

    def file(self, path: str) -> FileChange | None:
        """The change of `path`, if it holds one."""
        return next((change for change in self.files if change.path == path), None)

    def with_file(self, change: FileChange) -> "ChangeSet":
        """The same set with `change` in place of the one of the same path."""
        files = tuple(change if old.path == change.path else old for old in self.files)
        return replace(self, files=files)
