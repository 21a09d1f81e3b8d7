"""A workspace over a dict, with documents that somebody types into."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from forge_lsp.changes.merge import merge
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit


class MemoryWorkspace:
    """What is on disk, what is open, and what .gitignore hides (folders, by their name)."""

    def __init__(
        self, disk: Mapping[str, bytes], hidden: Sequence[str] = (), project: str = "file:///app"
    ) -> None:
        self.disk: dict[str, bytes] = dict(disk)
        self.documents: dict[str, bytes] = {}
        self.labels: list[str] = []
        self.read_only: set[str] = set()
        """Paths whose edits the editor drops."""
        self.may_apply = asyncio.Event()
        self.may_apply.set()
        self.on_apply: Callable[[], Awaitable[None]] | None = None
        """What others do between a plan and its edit."""
        self._hidden = tuple(hidden)
        self._project = project

    @property
    def project(self) -> str:
        return self._project

    def type_into(self, path: str, old: bytes, new: bytes) -> None:
        """Somebody opens the file and changes some of its text."""
        content = self.documents.get(path, self.disk.get(path, b""))
        assert old in content
        self.documents[path] = content.replace(old, new, 1)

    def text(self, path: str) -> bytes | None:
        """What the editor shows."""
        return self.documents.get(path, self.disk.get(path))

    async def files(self) -> Sequence[ProjectPath]:
        paths = (ProjectPath.parse(path) for path in {*self.disk, *self.documents})
        return sorted(path for path in paths if not self.why_not_writable(path))

    async def read(self, path: ProjectPath) -> bytes | None:
        return self.text(path)

    def why_not_writable(self, path: ProjectPath) -> str:
        return "a .gitignore file hides it" if path.split("/")[0] in self._hidden else ""

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        await self.may_apply.wait()
        if self.on_apply is not None:
            await self.on_apply()
        self.labels.append(label)
        return [self._apply(edit) for edit in edits]

    def _apply(self, edit: WorkspaceEdit) -> WorkspaceAnswer:
        found = self.text(edit.path)
        if why := self.why_not_writable(edit.path):
            return WorkspaceAnswer(edit.path, ok=False, reason=why, found=found, left=found)
        if edit.path in self.read_only:
            reason = "the editor did not make the change"
            return WorkspaceAnswer(edit.path, ok=False, reason=reason, found=found, left=found)
        left = edit.after
        if found != edit.before:
            merged = (
                merge(edit.before, found, edit.after)
                if edit.before is not None and found is not None and edit.after is not None
                else None
            )
            if merged is None:
                reason = "it has changed since"
                return WorkspaceAnswer(edit.path, ok=False, reason=reason, found=found, left=found)
            left = merged
        if left is None:
            self.disk.pop(edit.path, None)
            self.documents.pop(edit.path, None)
        elif edit.path in self.documents:
            self.documents[edit.path] = left
        else:
            self.disk[edit.path] = left
        return WorkspaceAnswer(edit.path, ok=True, found=found, left=left)
