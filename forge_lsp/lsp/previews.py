"""The sandboxes of this editor's workspaces, as they are followed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from forge_lsp.lsp.diagnostics import Mark
from forge_lsp.lsp.preview import Preview
from forge_lsp.lsp.tasks import Tasks
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine


class Previews:
    """One for each workspace: its newest sandbox's."""

    def __init__(self, drained: Callable[[], Awaitable[None]]) -> None:
        self._drained = drained
        self._followed: dict[str, Preview] = {}
        """By project; also those that have ended, so that they aren't taken up again."""
        self._tasks = Tasks()
        self._is_closed = False

    def follow(self, engine: "Engine", workspace: EditorWorkspace) -> Preview | None:
        """Follow the workspace's sandbox from now on, if it has one."""
        sandbox = engine.sandboxes.of_project(workspace.project)
        if sandbox is None or self._is_closed:
            return None
        known = self._followed.get(workspace.project)
        if known is not None and known.sandbox.id == sandbox.id and not known.has_died:
            return known
        preview = Preview(engine, workspace, sandbox, self._drained)
        self._followed[workspace.project] = preview
        if known is not None:
            self._tasks.start(known.close(), f"leave {known.sandbox.id}")
        return preview

    def marks(self, uri: str) -> Sequence[Mark]:
        """What is marked in a file; from memory."""
        return next(
            (found for each in self._followed.values() if (found := each.marks.get(uri))), ()
        )

    async def close(self) -> None:
        """Stop following, and clear what is marked."""
        self._is_closed = True
        for preview in self._followed.values():
            await preview.close()
        await self._tasks.close()
