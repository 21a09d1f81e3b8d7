"""Where a prompt's context comes from, beside an editor's workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Files


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """The files that came with the request."""

    contents: Mapping[ProjectPath, bytes]

    async def files(self) -> Sequence[ProjectPath]:
        """All of them."""
        return sorted(self.contents)

    async def read(self, path: ProjectPath) -> bytes | None:
        """As given."""
        return self.contents.get(path)


class FirstSeen:
    """Files as they were when they were first read.

    What the model was shown is what its changes are made for. A file that somebody typed into
    since differs from that, which review then sees and merges.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._seen: dict[ProjectPath, bytes | None] = {}

    async def files(self) -> Sequence[ProjectPath]:
        """As they are now."""
        return await self._files.files()

    async def read(self, path: ProjectPath) -> bytes | None:
        """As it was at first."""
        if path not in self._seen:
            self._seen[path] = await self._files.read(path)
        return self._seen[path]


@dataclass(frozen=True, slots=True)
class SandboxFiles:
    """The files of a sandbox."""

    sandbox: Sandbox

    async def files(self) -> Sequence[ProjectPath]:
        """As the sandbox lists them."""
        return await self.sandbox.files()

    async def read(self, path: ProjectPath) -> bytes | None:
        """As the sandbox has it now."""
        try:
            return await self.sandbox.read(path)
        except NotFound:
            return None
