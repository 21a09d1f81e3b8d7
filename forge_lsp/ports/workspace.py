"""A project folder that is open in an editor; `lsp` implements it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp.paths import ProjectPath


class Files(Protocol):
    """Somewhere that a prompt's context is read from."""

    async def files(self) -> Sequence[ProjectPath]:
        """What a prompt may hold, sorted."""
        ...

    async def read(self, path: ProjectPath) -> bytes | None:
        """The file's bytes; None where there is no file."""
        ...


@dataclass(frozen=True, slots=True)
class WorkspaceEdit:
    """What one file of the workspace should become. `before` is what it is believed to be."""

    path: ProjectPath
    before: bytes | None
    after: bytes | None
    change_set_id: str = ""
    """Which change set it belongs to, for people."""


@dataclass(frozen=True, slots=True)
class WorkspaceAnswer:
    """What became of one WorkspaceEdit."""

    path: ProjectPath
    ok: bool
    reason: str = ""
    found: bytes | None = None
    """What stood there when the edit was made; None where there was no file."""
    left: bytes | None = None
    """What stands there now."""


class Workspace(Files, Protocol):
    """A project folder that is open in an editor: documents where open, else the disk.

    What .gitignore hides is neither listed nor written.
    """

    @property
    def project(self) -> str:
        """Its id: the folder's URI."""
        ...

    def why_not_writable(self, path: ProjectPath) -> str:
        """Why the file may not be written, for people; empty where it may. From memory."""
        ...

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        """Make the edits through the editor and look whether they really hold.

        A file that differs from its `before` is merged hunk by hunk where that is clean, else
        left alone. Answers come in the order of `edits`.
        """
        ...
