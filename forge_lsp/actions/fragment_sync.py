"""Fragments follow what becomes of their files in a workspace: saves, reviews, undo."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from forge_lsp.actions.lacking import FIRST_VERSION, MERGED, REVIEWED, Combined, edits_elsewhere
from forge_lsp.clock import now_ms
from forge_lsp.errors import VersionConflict
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.store import Store

Contents = Mapping[ProjectPath, bytes | None]
"""By path; None where there is no file."""

TRIES = 8
"""Of a version that others make one before, each time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a workspace is known to have of fragments."""

    taken: Mapping[str, int] = field(default_factory=dict[str, int])
    """By fragment, the version up to which it has it."""
    own: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """The versions of fragments that were made from it; `note_files` adds to them."""

    def own_of(self, fragment_id: str) -> set[int]:
        """Of one fragment."""
        return {version for known, version in self.own if known == fragment_id}


async def note_files(
    store: Store, project: str, contents: Contents, reason: str, known: Known | None = None
) -> Contents:
    """The project's files are so now: the newest fragment gets a version where it has them
    otherwise. Files that it doesn't hold are none of its.

    A save doesn't undo an edit from elsewhere that the workspace lacks as yet, as far as is
    `known`; without it, as far as the store tells. Gives the files of which the fragment holds
    something else now. Raises `StoreFailed`, and `VersionConflict` where others make version
    after version.
    """
    known = known or Known()
    for _ in range(TRIES if contents else 0):
        fragment = await store.newest_fragment(project)
        if fragment is None:
            return {}
        # What waited for review, and was decided on, had the edits from elsewhere in it.
        is_decided = reason == REVIEWED
        both = {} if is_decided else await _both(store, fragment, contents, known)
        held = await store.fragment_files(fragment.id, fragment.version)
        noted = {path: content for path, content in contents.items() if path not in both}
        # What collides is left as the edit has it: who brings that to the workspace asks there.
        merged = {path: each.content for path, each in both.items() if not each.collides}
        try:
            made = await _merge(store, fragment, _news(noted, held), reason)
            if made.version > fragment.version:
                known.own.add((made.id, made.version))
            await _merge(store, made, _news(merged, held), MERGED)
        except VersionConflict:
            continue
        return {path: each.content for path, each in both.items()}
    if contents:
        raise VersionConflict("The fragment is being changed by others all the time.")
    return {}


async def _both(
    store: Store, fragment: FragmentRecord, contents: Contents, known: Known
) -> dict[ProjectPath, Combined]:
    """The files that were edited elsewhere, too, with what both made of them."""
    taken = {**await store.taken_versions(fragment.project), **known.taken}
    since = taken.get(fragment.id, FIRST_VERSION)
    steps = await store.fragment_steps(fragment.id, since)
    edits = edits_elsewhere(steps, since, own=known.own_of(fragment.id))
    return {
        path: replace(edits[path], theirs=edits[path].newest, after=()).combined(content)
        for path, content in contents.items()
        if path in edits
    }


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
