"""Writes what is saved in the workspace through to its sandbox."""

import asyncio
import logging
from collections.abc import Sequence

from lsprotocol import types

from forge_lsp.errors import ForgeError, SandboxGone
from forge_lsp.lsp.session import Session
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

log = logging.getLogger(__name__)


class Saves:
    """One file at a time, in the order in which they were saved."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._order = asyncio.Lock()

    def saved(self, uri: str) -> None:
        """A document was saved in the editor."""
        self._start([uri])

    def changed_outside(self, changes: Sequence[types.FileEvent]) -> None:
        """Files changed on disk; those that are open are told by the editor itself."""
        documents = self._session.documents
        self._start([each.uri for each in changes if documents.document(each.uri) is None])

    def _start(self, uris: Sequence[str]) -> None:
        engine = self._session.late.opened
        if engine is not None and uris:
            self._session.tasks.start(self._write_all(uris), "write through to the sandbox")

    async def _write_all(self, uris: Sequence[str]) -> None:
        async with self._order:
            for uri in uris:
                workspace = self._session.known_workspace(uri)
                path = workspace.path_of(uri) if workspace else None
                if workspace is None or path is None:
                    continue
                if path.name == ".gitignore":
                    # What follows is to be hidden, or shown, by the new rules.
                    await workspace.files()
                await self._write(workspace, path)

    async def _write(self, workspace: EditorWorkspace, path: ProjectPath) -> None:
        engine = await self._session.engine()
        sandbox = engine.sandboxes.of_project(workspace.project)
        if sandbox is None or workspace.why_not_writable(path):
            return
        try:
            content = await workspace.read(path)
            if content is None:
                await sandbox.delete(path)
            else:
                await sandbox.write(path, content)
        except SandboxGone:
            # The next action that needs a sandbox makes one and fills it from the workspace.
            log.info("%s was saved after the sandbox had ended", path)
        except ForgeError as error:
            log.warning("%s could not be written through: %s", path, error.message)
            self._session.client.show(
                f"{path} was saved, but not shown in the preview: {error.for_people()}",
                types.MessageType.Warning,
            )
