"""What a workspace lacks of a fragment, by what its versions tell. Pure: no IO."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from forge_lsp.changes.hunks import hunks_between
from forge_lsp.changes.merge import lean, merge
from forge_lsp.changes.texts import as_bytes, as_text
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep

SAVED = "Saved in the editor"
OUTSIDE = "Changed outside the editor"
REVIEWED = "Reviewed"
TAKEN_OVER = "Merged with the workspace"
WAITING = "Merged, and waits for review"
MERGED = "Merged with an edit from elsewhere"
FROM_WORKSPACE = frozenset({SAVED, OUTSIDE, REVIEWED, TAKEN_OVER, WAITING})
"""Reasons of the versions that a workspace made: they are edits for nobody."""
DECIDED = frozenset({REVIEWED, WAITING})
"""Of those, the ones that answer for every edit before them: the review had it."""

BRINGING = "fragment"
"""The kind of the runs that bring an edit to a workspace."""

FIRST_VERSION = 1
"""What was generated, which comes to the workspace by its review."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A file with what two have made of it."""

    content: bytes | None
    """Where they collide, what the edit says."""
    collides: bool = False


@dataclass(frozen=True, slots=True)
class EditElsewhere:
    """An edit of a file, made in the fragment."""

    before: tuple[bytes | None, ...]
    """What the file was before, the last at the end: a workspace may have any of it."""
    theirs: bytes | None
    """What the edit made of it."""
    after: tuple[bytes | None, ...] = ()
    """What workspaces have made of that since."""
    version: int = 0
    """The version that made the edit."""

    @property
    def newest(self) -> bytes | None:
        """What the fragment holds now."""
        return self.after[-1] if self.after else self.theirs

    def combined(self, ours: bytes | None) -> Combined:
        """What the file becomes with what the workspace has made of it."""
        if ours == self.theirs or ours in self.after:
            return Combined(ours)
        if ours in self.before:
            return Combined(self.theirs)
        known = [each for each in (*self.before, *self.after) if each is not None]
        if ours is None or self.theirs is None or not known:
            return Combined(self.theirs, collides=True)
        base = _nearest(known, ours)
        if base in self.after:
            return Combined(ours)
        return _merged(base, ours, self.theirs)


def edits_elsewhere(
    steps: Sequence[FragmentStep],
    since: int,
    *,
    owed: Mapping[ProjectPath, int] | None = None,
    own: Collection[int] = (),
) -> Mapping[ProjectPath, EditElsewhere]:
    """What a workspace lacks that has the fragment up to version `since`, and of the files that
    are `owed` up to the versions named there. It has its `own` versions, too, and nothing is
    lacking of what came before them. `steps` begin where the earliest of all this ends."""
    files: dict[ProjectPath, _File] = {}
    for step in steps:
        file = files.setdefault(step.path, _File())
        if step.version <= (owed or {}).get(step.path, since) or step.version in own:
            files[step.path] = _File([step.content])
        elif step.reason in DECIDED:
            file.had.append(step.content)
            file.edit = None
        else:
            file.had.append(step.content)
            if step.reason not in FROM_WORKSPACE:
                file.edit, file.version = len(file.had) - 1, step.version
    found = {path: file.as_edit() for path, file in files.items()}
    return {path: edit for path, edit in found.items() if edit is not None}


@dataclass(slots=True)
class _File:
    had: list[bytes | None] = field(default_factory=list["bytes | None"])
    """What it was, one after another."""
    edit: int | None = None
    """Which of these the last edit made."""
    version: int = 0

    def as_edit(self) -> EditElsewhere | None:
        if self.edit is None:
            return None
        before, after = tuple(self.had[: self.edit]), tuple(self.had[self.edit + 1 :])
        theirs = self.had[self.edit]
        before = before or (None,)
        return None if theirs == before[-1] else EditElsewhere(before, theirs, after, self.version)


def _nearest(known: Sequence[bytes], ours: bytes) -> bytes:
    """What `ours` was made of: what differs least from it, the newest of such."""
    if len(known) == 1:
        return known[0]
    return min(reversed(known), key=lambda each: _distance(_dressed(each, ours), ours))


def _distance(one: bytes, other: bytes) -> int:
    return sum(hunk.before_count + hunk.after_count for hunk in hunks_between(one, other))


def _merged(base: bytes, ours: bytes, theirs: bytes) -> Combined:
    merged = merge(base, ours, theirs)
    if merged is None:
        # Editors hold line ends and the mark in their own way.
        base, theirs = _dressed(base, ours), _dressed(theirs, ours)
        merged = merge(base, ours, theirs)
    if merged is None:
        return Combined(lean(base, ours, theirs), collides=True)
    return Combined(merged)


def _dressed(content: bytes, like: bytes) -> bytes:
    """With the line ends and the mark of another text; as it is where it is none."""
    text = as_text(content)
    return content if text is None else as_bytes(text, like)
