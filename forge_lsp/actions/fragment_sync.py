"""Fragments follow what becomes of their files in a workspace: saves, reviews, undo."""

from collections.abc import Mapping

from forge_lsp.clock import now_ms
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store


async def note_files(
    store: Store, project: str, contents: Mapping[ProjectPath, bytes | None], reason: str
) -> None:
    """The project's files are so now: the newest fragment gets a version where it has them
    otherwise. Files that it doesn't hold are none of its. Raises `StoreFailed`."""
    fragment = await store.newest_fragment(project)
    if fragment is None:
        return
    held = await store.fragment_files(fragment.id)
    changed = {
        path: content
        for path, content in contents.items()
        if path in held and held[path] != content
    }
    if changed:
        now = now_ms()
        await store.merge_fragment(fragment.id, changed, at=now, reason=reason)
