"""Brings what changes in the workspace, by a save or outside of the editor, to its sandbox and to
the fragment that holds it."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import ForgeError, SandboxGone
from forge_lsp.lsp.changed import everything_changed
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.preview import Preview
from forge_lsp.lsp.session import Session
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine

log = logging.getLogger(__name__)

QUIET_S = 0.05
"""What is saved within so long after another belongs to the same burst, as of a formatter."""
OUTSIDE_QUIET_S = 0.2
"""The same of what others change, of which watchers tell in pieces."""
MOST_S = 3.0
"""A burst that doesn't end is written after so long."""
BATCH_FILES = 500
BATCH_BYTES = 16_000_000
MOST_NAMED = 3
"""Files that a message names."""
MOST_REASON_CHARACTERS = 500

_Contents = Mapping[ProjectPath, bytes | None]


class Saves:
    """All that changed since the last write goes with the next one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._order = asyncio.Lock()
        self._waiting: dict[str, bool] = {}
        """By URI, in the order in which they changed: whether it was saved in the editor."""
        self._behind: set[str] = set()
        """Open documents whose files changed on disk; they count once the editor has loaded
        them."""
        self._quiet_at = 0.0
        """When it will have been quiet for long enough."""
        session.outside.on_change(self._changed_on_disk)

    def saved(self, uri: str) -> None:
        """A document was saved in the editor."""
        self._start([uri], is_saved=True)

    def changed_outside(self, changes: Sequence[types.FileEvent]) -> None:
        """Files changed on disk, says the editor."""
        self._start([each.uri for each in changes], is_saved=False)

    def told(self, uri: str) -> None:
        """A document was opened, changed or closed; one whose file changed may be loaded anew."""
        if uri in self._behind:
            self._start([uri], is_saved=False)

    def _changed_on_disk(self, workspace: EditorWorkspace, paths: Iterable[ProjectPath]) -> None:
        self._start([workspace.uri_of(path) for path in paths], is_saved=False)

    def _start(self, uris: Sequence[str], *, is_saved: bool) -> None:
        if self._session.late.opened is None or not uris:
            return
        is_started = bool(self._waiting)
        for uri in uris:
            self._waiting[uri] = is_saved or self._waiting.get(uri, False)
        quiet_s = QUIET_S if is_saved else OUTSIDE_QUIET_S
        self._quiet_at = max(self._quiet_at, asyncio.get_running_loop().time() + quiet_s)
        if not is_started:
            self._session.tasks.start(self._write_waiting(), "write through to the sandbox")

    async def _write_waiting(self) -> None:
        async with self._order:
            await self._settle()
            changed, self._waiting = self._waiting, {}
            found = await asyncio.to_thread(self._sort, list(changed))
            for workspace, paths in found.items():
                loaded = await self._loaded(workspace, paths, changed)
                if loaded:
                    await self._write(workspace, loaded)

    async def _settle(self) -> None:
        """Wait until nothing more comes, but not for ever."""
        clock = asyncio.get_running_loop().time
        latest = clock() + MOST_S
        # It is silence that is waited for, of which no event can tell.
        while (pause := min(self._quiet_at, latest) - clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(pause)

    def _sort(self, uris: Sequence[str]) -> Mapping[EditorWorkspace, Mapping[ProjectPath, str]]:
        found: dict[EditorWorkspace, dict[ProjectPath, str]] = {}
        for uri in uris:
            workspace = self._session.known_workspace(uri)
            path = workspace.path_of(uri) if workspace else None
            if workspace is not None and path is not None:
                found.setdefault(workspace, {})[path] = uri
        return found

    async def _loaded(
        self,
        workspace: EditorWorkspace,
        paths: Mapping[ProjectPath, str],
        changed: Mapping[str, bool],
    ) -> Mapping[ProjectPath, bool]:
        """Without the open documents that differ from their files, unless they were saved."""
        opened = {workspace.path_of(uri) for uri in workspace.documents.text_documents}
        loaded: dict[ProjectPath, bool] = {}
        for path, uri in paths.items():
            is_saved = changed[uri]
            if is_saved or path not in opened or await workspace.is_as_on_disk(path):
                self._behind.discard(uri)
                loaded[path] = is_saved
            else:
                self._behind.add(uri)
        return loaded

    async def _write(self, workspace: EditorWorkspace, changed: Mapping[ProjectPath, bool]) -> None:
        """Write what changed through; of each is told whether it was saved in the editor."""
        engine = await self._session.engine()
        preview = self._session.previews.follow(engine, workspace)
        held = await _held(engine, workspace)
        if preview is None and not held:
            return
        if any(path.name == ".gitignore" for path in changed):
            # The others are to be hidden, or shown, by the new rules.
            await workspace.files()
        sandbox = preview.sandbox if preview else None
        every = await everything_changed(workspace, list(changed), held, sandbox)
        # Of thousands of paths the rules take their time.
        paths = await asyncio.to_thread(_shown, workspace, every)
        noted = [path for path in paths if path in held]
        stands = await _note(engine, workspace, noted, is_saved=any(changed.values()))
        if preview is not None:
            await self._show(engine, preview, workspace, paths, stands)

    async def _show(
        self,
        engine: "Engine",
        preview: Preview,
        workspace: EditorWorkspace,
        paths: Sequence[ProjectPath],
        stands: _Contents,
    ) -> None:
        refused: dict[ProjectPath, str] = {}
        for start in range(0, len(paths), BATCH_FILES):
            saved = await workspace.read_saved(paths[start : start + BATCH_FILES])
            contents = engine.reviews.with_pending(workspace.project, saved)
            for batch in _of_bounded_size({**contents, **_among(stands, contents)}):
                try:
                    refused |= await preview.sandbox.put(batch)
                except SandboxGone:
                    # The next action that needs a sandbox makes one, filled from the workspace.
                    log.info("%d file(s) changed after the sandbox had ended", len(paths))
                    return
                except ForgeError as error:
                    refused |= dict.fromkeys(batch, error.for_people())
        preview.look(paths)
        if refused:
            log.warning("%d file(s) could not be written through", len(refused))
            self._session.client.show(_told(refused), types.MessageType.Warning)


async def _held(engine: "Engine", workspace: EditorWorkspace) -> Collection[ProjectPath]:
    fragment = await engine.store.newest_fragment(workspace.project)
    return await engine.store.fragment_files(fragment.id) if fragment else ()


async def _note(
    engine: "Engine",
    workspace: EditorWorkspace,
    paths: Sequence[ProjectPath],
    *,
    is_saved: bool,
) -> _Contents:
    """The fragment that holds the files gets a version; a save isn't lost where it can't. Gives
    the files of which it holds something else, as they were edited elsewhere meanwhile."""
    from forge_lsp.actions.fragment_sync import note_files
    from forge_lsp.actions.lacking import OUTSIDE, SAVED

    saved = await workspace.read_saved(paths)
    contents = engine.reviews.with_pending(workspace.project, saved)
    reason = SAVED if is_saved else OUTSIDE
    try:
        known = engine.following.known
        return await note_files(engine.store, workspace.project, contents, reason, known)
    except ForgeError as error:
        log.warning("a save did not reach its fragment: %s", error.message)
        return {}


def _shown(workspace: EditorWorkspace, paths: Sequence[ProjectPath]) -> Sequence[ProjectPath]:
    return [path for path in paths if not workspace.why_not_writable(path)]


def _among(stands: _Contents, contents: _Contents) -> _Contents:
    return {path: content for path, content in stands.items() if path in contents}


def _told(refused: Mapping[ProjectPath, str]) -> str:
    names = ", ".join(list(refused)[:MOST_NAMED])
    more = len(refused) - MOST_NAMED
    files = f"{names} and {more} more" if more > 0 else names
    verb = "was" if len(refused) == 1 else "were"
    reason = plain(next(iter(refused.values())), MOST_REASON_CHARACTERS)
    return f"{files} {verb} saved, but not shown in the preview: {reason}"


def _of_bounded_size(contents: _Contents) -> Iterable[_Contents]:
    batch: dict[ProjectPath, bytes | None] = {}
    size = 0
    for path, content in contents.items():
        batch[path] = content
        size += len(content or b"")
        if size >= BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
