"""What is looked at when something may be wrong: a sandbox, whatever it runs on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.dev_server import Page


class Server(Protocol):
    """A dev server that can be asked."""

    @property
    def is_running(self) -> bool:
        """Whether its process is there now."""
        ...

    @property
    def why_ended(self) -> str:
        """For people; empty while it runs or is being started again."""
        ...

    @property
    def output(self) -> str:
        """Its last lines."""
        ...

    async def get(self, path: str) -> Page:
        """Ask for a page; raises `aiohttp.ClientError` or `TimeoutError` where none comes."""
        ...


async def _no_errors() -> Sequence[SandboxDiagnostic]:
    return ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A sandbox at one moment."""

    server: Server
    files: Sequence[ProjectPath]
    read: Callable[[ProjectPath], Awaitable[bytes]]
    """Reads one of its files; raises `ForgeError`."""
    run_tsc: Callable[[Sequence[str]], Awaitable[tuple[int, str]]]
    """Runs the project's own type checker with these arguments; gives its exit code and output.
    Raises `SandboxFailed`."""
    page_errors: Callable[[], Awaitable[Sequence[SandboxDiagnostic]]] = _no_errors
    """What its page has thrown, where somebody listens."""

    async def text(self, path: ProjectPath) -> str:
        """A file's text; empty where there is none that can be read."""
        try:
            return (await self.read(path)).decode("utf-8-sig", errors="replace")
        except ForgeError:
            return ""
