"""The port `Workspace` for a folder that is open in the editor."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from forge_lsp.lsp.applying import apply_edits
from forge_lsp.lsp.client import Client
from forge_lsp.lsp.documents import Changes, ExactWorkspace
from forge_lsp.lsp.folder import OpenFolder
from forge_lsp.lsp.turns import turn_in
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit


class EditorWorkspace(OpenFolder):
    """A folder whose files are changed through the editor."""

    def __init__(
        self, root: Path, uri: str, documents: ExactWorkspace, changes: Changes, client: Client
    ) -> None:
        super().__init__(root, uri, documents, changes, client)
        self._applying = asyncio.Lock()

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        """One change at a time: two that overlap would each look stale to the other."""
        async with self._applying, turn_in(self.root):
            await self.files()
            return await apply_edits(self, label, edits)
