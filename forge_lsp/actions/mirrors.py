"""What shows a workspace's files elsewhere: the newest fragment, and the sandbox."""

from contextlib import suppress
from dataclasses import dataclass

from forge_lsp.actions.fragment_sync import note_files
from forge_lsp.actions.lacking import BRINGING, REVIEWED
from forge_lsp.actions.placing import put_file
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.errors import SandboxGone
from forge_lsp.events import FileApplied
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import WorkspaceAnswer
from forge_lsp.runs import Run


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Follow what is decided in a project."""

    store: Store
    sandboxes: Sandboxes

    async def show(self, run: Run, project: str, path: ProjectPath, content: bytes | None) -> None:
        """Bring the newest fragment, and the sandbox where it lives, to what was decided."""
        # What an edit from elsewhere leads to is noted by who brings it: they know of later ones.
        if run.record.kind != BRINGING:
            await note_files(self.store, project, {path: content}, REVIEWED)
        sandbox = self.sandboxes.of_project(project)
        if sandbox is None or not await sandbox.is_alive():
            return
        with suppress(SandboxGone):
            # Whoever needs a sandbox next gets one that is filled from the workspace.
            await run.append(await put_file(sandbox, path, content))


async def tell_applied(run: Run, answer: WorkspaceAnswer) -> None:
    """Say what became of a file in the workspace."""
    await run.append(FileApplied(answer.path, "workspace", ok=answer.ok, reason=answer.reason))
