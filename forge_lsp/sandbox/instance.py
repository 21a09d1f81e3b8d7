"""One sandbox on this machine."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from forge_lsp.errors import SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import DiagnosticsReport, InstallReport
from forge_lsp.sandbox import files
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.diagnostics import diagnose
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.installs import Installer
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.lease import Lease
from forge_lsp.sandbox.output import Tail
from forge_lsp.sandbox.packages import PackageRequest
from forge_lsp.sandbox.relay import Relay

log = logging.getLogger(__name__)

MAX_FILES = 20_000
MAX_FILE_BYTES = 32 * 1024 * 1024
TYPES_TIMEOUT_S = 60.0
MAX_TYPE_LINES = 2_000
_TYPE_CHECK = ("node_modules/typescript/bin/tsc", "--noEmit", "--pretty", "false")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sandboxes of one provider share."""

    confinement: Confinement
    installer: Installer
    limits: Limits


class LocalSandbox:
    """A folder, a dev server that is confined to it, and the relay to its preview."""

    def __init__(
        self, folder: Path, server: DevServer, relay: Relay, lease: Lease, shared: Surroundings
    ) -> None:
        """The folder's name is the sandbox's id."""
        self.lease = lease
        self._id = folder.name
        self._folder = folder
        self._server = server
        self._relay = relay
        self._shared = shared
        self._installing = asyncio.Lock()
        self._work: set[asyncio.Task[Any]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._why_ended = ""

    @property
    def id(self) -> str:
        """`sb_` and twenty random characters, good as a name in a URL."""
        return self._id

    @property
    def url(self) -> str:
        """Where the preview answers."""
        return self._relay.url

    async def is_alive(self) -> bool:
        """False once it has been ended, or its dev server has died for good."""
        return not self._gone()

    def renew(self) -> None:
        """Start its lease anew; nothing where it has ended."""
        self.lease.renew()

    async def files(self) -> Sequence[ProjectPath]:
        """Its regular files, sorted, without node_modules, .git and dist."""
        self._check()
        return await asyncio.to_thread(files.list_files, self._folder, MAX_FILES)

    async def read(self, path: ProjectPath) -> bytes:
        """Raises `NotFound` where there is no regular file."""
        self._check()
        return await asyncio.to_thread(files.read_file, self._folder, path, MAX_FILE_BYTES)

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once."""
        self._check()
        owner = self._shared.confinement.owner()
        await asyncio.to_thread(files.write_file, self._folder, path, content, owner)

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        self._check()
        await asyncio.to_thread(files.delete_file, self._folder, path)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages; what is there already is installed at once."""
        asked = [PackageRequest.parse(each) for each in packages]
        self._check()
        async with self._installing:
            self._check()
            return await self._while_alive(self._shared.installer.install(self._folder, asked))

    async def diagnostics(self) -> DiagnosticsReport:
        """Ask the dev server for every module, and the compiler for the types."""
        listed = await self.files()
        return await self._while_alive(diagnose(self._server, listed, self.read, self._check_types))

    async def kill(self) -> None:
        """End it and remove its folder."""
        await self.end("It was ended on request.")

    async def end(self, why: str) -> None:
        """End it for this reason, unless it has ended; comes back when all of it is gone."""
        if self._ending is None:
            self._why_ended = why
            self._ending = asyncio.create_task(self._end(), name=f"sandbox-end-{self._id}")
        # Whoever waits may give up, but an end that has begun goes on.
        await asyncio.shield(self._ending)

    async def attend(self) -> None:
        """Wait until its dev server has died for good, then end it."""
        await self._server.ended()
        await self.end(self._server.why_ended)

    async def _end(self) -> None:
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await asyncio.gather(self._server.close(), self._relay.close())
        await remove_tree(self._folder)
        log.info("sandbox %s has ended: %s", self._id, self._why_ended)

    async def _while_alive(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do work that runs programs in the folder; the sandbox's end is its end too."""
        task = asyncio.create_task(work, name=f"sandbox-work-{self._id}")
        self._work.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is None or not caller.cancelling():
                self._check()
            raise
        finally:
            self._work.discard(task)

    def _gone(self) -> bool:
        return self._ending is not None or bool(self._server.why_ended)

    def _check(self) -> None:
        if self._gone():
            why = self._why_ended or self._server.why_ended
            raise SandboxGone(f"The sandbox {self._id} has ended. {why}".strip())
        self.renew()

    async def _check_types(self) -> tuple[int, str]:
        shared = self._shared
        node = (await shared.confinement.tools()).node.executable
        confined = await shared.confinement.spawn(
            [str(node), *_TYPE_CHECK],
            directory=self._folder,
            environment={},
            limits=shared.limits,
        )
        tail = Tail(MAX_TYPE_LINES)
        try:
            async with asyncio.timeout(TYPES_TIMEOUT_S):
                await tail.read(confined.output)
                return await confined.wait(), tail.text
        except TimeoutError as error:
            raise SandboxFailed(f"tsc did not end within {TYPES_TIMEOUT_S:.0f} s.") from error
        finally:
            await confined.kill()
