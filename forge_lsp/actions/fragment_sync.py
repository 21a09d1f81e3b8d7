"""Fragments follow what becomes of their files in a workspace: saves, reviews, undo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp.changes.merge import lean, merge
from forge_lsp.changes.texts import as_bytes, as_text
from forge_lsp.clock import now_ms
from forge_lsp.errors import VersionConflict
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.store import Store

Contents = Mapping[ProjectPath, bytes | None]
"""By path; None where there is no file."""

SAVED = "Saved in the editor"
OUTSIDE = "Changed outside the editor"
REVIEWED = "Reviewed"
TAKEN_OVER = "Merged with the workspace"
WAITING = "Merged, and waits for review"
FROM_WORKSPACE = frozenset({SAVED, OUTSIDE, REVIEWED, TAKEN_OVER, WAITING})
"""Reasons of the versions that the workspace made: it lacks nothing of them."""
MERGED = "Merged with an edit from elsewhere"

FIRST_VERSION = 1
"""What was generated, which comes to the workspace by its review."""
TRIES = 8
"""Of a version that others make one before, each time."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A file with what two have made of it."""

    content: bytes | None
    """Where they collide, what the fragment says."""
    collides: bool = False


@dataclass(frozen=True, slots=True)
class EditElsewhere:
    """A file of a fragment that is another than the workspace is known to have."""

    base: bytes | None
    """What the workspace is known to have had."""
    theirs: bytes | None
    """What the fragment holds."""

    def combined(self, ours: bytes | None) -> Combined:
        """What the file becomes with what the workspace has made of it."""
        if ours in (self.base, self.theirs):
            return Combined(self.theirs)
        if self.base is None or self.theirs is None or ours is None:
            return Combined(self.theirs, collides=True)
        # Editors hold line ends and the mark in their own way.
        base, theirs = _dressed(self.base, ours), _dressed(self.theirs, ours)
        for merged in (merge(self.base, ours, self.theirs), merge(base, ours, theirs)):
            if merged is not None:
                return Combined(merged)
        return Combined(lean(base, ours, theirs), collides=True)


def _dressed(content: bytes, like: bytes) -> bytes:
    """With the line ends and the mark of another text; as it is where it is none."""
    text = as_text(content)
    return content if text is None else as_bytes(text, like)


def edits_elsewhere(
    steps: Sequence[FragmentStep], since: int, owed: Mapping[ProjectPath, int] | None = None
) -> Mapping[ProjectPath, EditElsewhere]:
    """What a workspace lacks that has the fragment up to version `since`, and of the files that
    are `owed` up to the versions named there. `steps` begin where the earliest of them ends."""
    found: dict[ProjectPath, EditElsewhere] = {}
    for step in steps:
        known = (owed or {}).get(step.path, since)
        if step.version <= known or step.reason in FROM_WORKSPACE:
            found[step.path] = EditElsewhere(step.content, step.content)
        else:
            before = found.get(step.path)
            found[step.path] = EditElsewhere(before.base if before else None, step.content)
    return {path: edit for path, edit in found.items() if edit.base != edit.theirs}


async def note_files(
    store: Store,
    project: str,
    contents: Contents,
    reason: str,
    taken: Mapping[str, int] | None = None,
) -> Contents:
    """The project's files are so now: the newest fragment gets a version where it has them
    otherwise. Files that it doesn't hold are none of its.

    A save doesn't undo an edit from elsewhere that the workspace lacks as yet: `taken` tells by
    fragment up to which version the workspace is known to have it, where that isn't what the
    store tells. Gives the files of which the fragment holds something else now. Raises
    `StoreFailed`, and `VersionConflict` where others make version after version.
    """
    # What waited for review, and was decided on, had the edits from elsewhere in it.
    is_decided = reason == REVIEWED
    for _ in range(TRIES if contents else 0):
        fragment = await store.newest_fragment(project)
        if fragment is None:
            break
        known = {**await store.taken_versions(project), **(taken or {})}
        since = known.get(fragment.id, FIRST_VERSION)
        steps = () if is_decided else await store.fragment_steps(fragment.id, since)
        edits = edits_elsewhere(steps, since)
        both = {path: edits[path].combined(contents[path]) for path in contents if path in edits}
        held = await store.fragment_files(fragment.id, fragment.version)
        noted = {path: content for path, content in contents.items() if path not in both}
        # What collides is left as the edit has it: who brings that to the workspace asks there.
        merged = {path: each.content for path, each in both.items() if not each.collides}
        try:
            made = await _merge(store, fragment, _news(noted, held), reason)
            await _merge(store, made, _news(merged, held), MERGED)
        except VersionConflict:
            continue
        return {path: each.content for path, each in both.items()}
    if contents and await store.newest_fragment(project) is not None:
        raise VersionConflict("The fragment is being changed by others all the time.")
    return {}


def _news(contents: Contents, held: Contents) -> Contents:
    """What a fragment holds otherwise, of the files that it holds."""
    return {
        path: content
        for path, content in contents.items()
        if path in held and held[path] != content
    }


async def _merge(
    store: Store, fragment: FragmentRecord, changed: Contents, reason: str
) -> FragmentRecord:
    if not changed:
        return fragment
    at = max(now_ms(), fragment.updated_at + 1)
    return await store.merge_fragment(
        fragment.id, changed, at=at, reason=reason, expected=fragment.version
    )
