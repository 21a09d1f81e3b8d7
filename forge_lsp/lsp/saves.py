"""Writes what is saved in the workspace through to its sandbox."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import ForgeError, SandboxGone
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.preview import Preview
from forge_lsp.lsp.session import Session
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine

log = logging.getLogger(__name__)

BATCH_FILES = 500
BATCH_BYTES = 16_000_000
MOST_NAMED = 3
"""Files that a message names."""
MOST_REASON_CHARACTERS = 500

_Contents = Mapping[ProjectPath, bytes | None]


class Saves:
    """All that was saved since the last write goes with the next one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._order = asyncio.Lock()
        self._waiting: dict[str, None] = {}
        """URIs, in the order in which they were saved."""

    def saved(self, uri: str) -> None:
        """A document was saved in the editor."""
        self._start([uri])

    def changed_outside(self, changes: Sequence[types.FileEvent]) -> None:
        """Files changed on disk; those that are open are told by the editor itself."""
        documents = self._session.documents
        self._start([each.uri for each in changes if documents.document(each.uri) is None])

    def _start(self, uris: Sequence[str]) -> None:
        if self._session.late.opened is None or not uris:
            return
        is_started = bool(self._waiting)
        self._waiting |= dict.fromkeys(uris)
        if not is_started:
            self._session.tasks.start(self._write_waiting(), "write through to the sandbox")

    async def _write_waiting(self) -> None:
        async with self._order:
            uris, self._waiting = self._waiting, {}
            by_workspace: dict[EditorWorkspace, list[ProjectPath]] = {}
            for uri in uris:
                workspace = self._session.known_workspace(uri)
                path = workspace.path_of(uri) if workspace else None
                if workspace is not None and path is not None:
                    by_workspace.setdefault(workspace, []).append(path)
            for workspace, paths in by_workspace.items():
                await self._write(workspace, paths)

    async def _write(self, workspace: EditorWorkspace, paths: Sequence[ProjectPath]) -> None:
        engine = await self._session.engine()
        preview = self._session.previews.follow(engine, workspace)
        if preview is None and await engine.store.newest_fragment(workspace.project) is None:
            return
        if any(path.name == ".gitignore" for path in paths):
            # The others are to be hidden, or shown, by the new rules.
            await workspace.files()
        shown = [path for path in paths if not workspace.why_not_writable(path)]
        async for batch in _batches(workspace, shown):
            await _note(engine, workspace, batch)
            if preview is not None:
                await self._put(preview, batch)

    async def _put(self, preview: Preview, contents: _Contents) -> None:
        try:
            refused = await preview.sandbox.put(contents)
        except SandboxGone:
            # The next action that needs a sandbox makes one and fills it from the workspace.
            log.info("%d file(s) were saved after the sandbox had ended", len(contents))
            return
        except ForgeError as error:
            refused = dict.fromkeys(contents, error.for_people())
        preview.look(contents)
        if not refused:
            return
        log.warning("%d file(s) could not be written through", len(refused))
        self._session.client.show(_told(refused), types.MessageType.Warning)


async def _note(engine: "Engine", workspace: EditorWorkspace, contents: _Contents) -> None:
    """The fragment that holds the files gets a version; a save isn't lost where it can't."""
    from forge_lsp.actions.fragment_sync import note_files

    try:
        await note_files(engine.store, workspace.project, contents, "Saved in the editor")
    except ForgeError as error:
        log.warning("a save did not reach its fragment: %s", error.message)


def _told(refused: Mapping[ProjectPath, str]) -> str:
    names = ", ".join(list(refused)[:MOST_NAMED])
    more = len(refused) - MOST_NAMED
    files = f"{names} and {more} more" if more > 0 else names
    verb = "was" if len(refused) == 1 else "were"
    reason = plain(next(iter(refused.values())), MOST_REASON_CHARACTERS)
    return f"{files} {verb} saved, but not shown in the preview: {reason}"


async def _batches(
    workspace: EditorWorkspace, paths: Sequence[ProjectPath]
) -> AsyncGenerator[_Contents]:
    """The files as they are now, None for those that are gone; a checkout may change thousands."""
    batch: dict[ProjectPath, bytes | None] = {}
    size = 0
    for path in paths:
        content = await workspace.read(path)
        batch[path] = content
        size += len(content or b"")
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
