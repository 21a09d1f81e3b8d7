"""One sandbox in the cloud."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import aiohttp
from e2b import AsyncSandbox

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import DiagnosticsReport, InstallReport, StageSink
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.diagnostics import diagnose
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.commands import Commands
from forge_lsp.sandbox.e2b.files import APP, OWN, Files
from forge_lsp.sandbox.e2b.installs import Installer
from forge_lsp.sandbox.e2b.lease import CloudLease
from forge_lsp.sandbox.e2b.preview import PORT, Observed, Preview
from forge_lsp.sandbox.lease import Clock
from forge_lsp.sandbox.packages import PackageRequest
from forge_lsp.settings import SandboxSettings

log = logging.getLogger(__name__)

ALIVE_TIMEOUT_S = 10.0
TYPES_TIMEOUT_S = 60.0
LOG_FILE = "dev-server.log"
FAILURE_CHARACTERS = 2_000
LOG_CHARACTERS = 20_000
"""Of the dev server's log, in the diagnostics."""

_DEV_SERVER = f"exec sh {OWN}/dev-server.sh"
_TYPE_CHECK = "exec node node_modules/typescript/bin/tsc --noEmit --pretty false"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sandboxes of one provider share."""

    calls: Calls
    session: aiohttp.ClientSession
    settings: SandboxSettings
    clock: Clock


class E2bSandbox:
    """A virtual machine at E2B, its dev server, and the public address of its preview."""

    def __init__(self, sdk: AsyncSandbox, shared: Surroundings) -> None:
        self._sdk = sdk
        self._settings = shared.settings
        self._calls = calls = shared.calls
        self._work: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Task[None]] = set()
        self._commands = Commands(sdk, calls, self._afterwards)
        self._files = Files(sdk, calls, self._commands, self._afterwards)
        self._installer = Installer(self._commands, self._files, shared.settings)
        self._lease = CloudLease(
            shared.settings.lease_s, shared.clock, self._tell_lease, self._afterwards
        )
        self._preview = Preview(
            shared.session, calls.cloud.preview_of(sdk.sandbox_id, sdk.sandbox_domain, PORT)
        )
        self._installing = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None
        self._why_ended = ""

    @property
    def id(self) -> str:
        """As E2B names it, good as a name in a URL."""
        return self._sdk.sandbox_id

    @property
    def url(self) -> str:
        """Where the preview answers, to anybody who knows this address."""
        return self._preview.url

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it at E2B, as far as we know."""
        if self._ending is None:
            return bool(self._why_ended)
        return self._ending.done() and self._ending.exception() is None

    async def ready(self, on_stage: StageSink) -> None:
        """Wait until the preview answers; starts its dev server where none is running."""
        on_stage("Waiting for the preview...")
        if await self._preview.is_shut():
            await self._while_alive(self._start_dev_server())
        try:
            await self._while_alive(self._preview.ready(self._settings.start_timeout_s))
        except SandboxFailed as error:
            output = await self._while_alive(self._files.own(LOG_FILE, FAILURE_CHARACTERS))
            raise SandboxFailed(
                f"{error.message}\n{output}".strip(), remedy=error.remedy
            ) from error

    async def is_alive(self) -> bool:
        """False once it has been ended or can't be reached; doesn't wake one that is paused."""
        if self._why_ended:
            return False
        try:
            async with asyncio.timeout(ALIVE_TIMEOUT_S):
                await self._calls.make(f"looking for the sandbox {self.id}", self._sdk.get_info)
        except SandboxGone as error:
            self._why_ended = self._why_ended or error.message
            return False
        except (ForgeError, TimeoutError):
            return False
        return True

    def renew(self) -> None:
        """Start its lease anew; nothing where it has ended."""
        if not self._why_ended:
            self._lease.renew()

    async def files(self) -> Sequence[ProjectPath]:
        """Its regular files, sorted, without node_modules, .git and dist."""
        return await self._while_alive(self._files.list())

    async def read(self, path: ProjectPath) -> bytes:
        """Raises `NotFound` where there is no regular file."""
        return await self._while_alive(self._files.read(path))

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once."""
        await self._while_alive(self._files.write(path, content))

    async def write_all(self, contents: Mapping[ProjectPath, bytes]) -> None:
        """Put many files in place; takes about as long as one."""
        await self._while_alive(self._files.write_all(contents))

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        await self._while_alive(self._files.delete(path))

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages; what is there already is installed at once."""
        asked = [PackageRequest.parse(each) for each in packages]
        async with self._installing:
            return await self._while_alive(self._installer.install(asked))

    async def diagnostics(self) -> DiagnosticsReport:
        """Ask the dev server for every module, and the compiler for the types."""
        return await self._while_alive(self._diagnose())

    async def kill(self) -> None:
        """End it and all that runs in it."""
        await self.end("It was ended on request.")

    async def end(self, why: str) -> None:
        """End it for this reason, unless it has ended; raises `SandboxFailed` where E2B can't be
        told, so that it ends with its lease only."""
        has_failed = self._ending is not None and self._ending.done() and not self.is_over
        if self._ending is None or has_failed:
            self._why_ended = why
            self._ending = asyncio.create_task(self._end(), name=f"sandbox-end-{self.id}")
        # Whoever waits may give up, but an end that has begun goes on.
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        try:
            await self._calls.make(f"ending the sandbox {self.id}", self._sdk.kill)
        except SandboxGone:
            pass
        finally:
            for task in self._left:
                task.cancel()
            await asyncio.gather(*self._left, return_exceptions=True)
        log.info("sandbox %s has ended: %s", self.id, self._why_ended)

    async def _diagnose(self) -> DiagnosticsReport:
        is_shut, listed, output, place = await asyncio.gather(
            self._preview.is_shut(),
            self._files.list(),
            self._files.own(LOG_FILE, LOG_CHARACTERS),
            self._files.place(),
        )
        if is_shut:
            await self._start_dev_server()
        observed = Observed(self._preview, not is_shut, output.strip(), place)
        # `diagnose` asks for no more than what both kinds of dev server have.
        server = cast("DevServer", observed)
        return await diagnose(server, listed, self._files.read, self._check_types)

    async def _start_dev_server(self) -> None:
        await self._commands.leave_running("starting the dev server", _DEV_SERVER, cwd=".")

    async def _check_types(self) -> tuple[int, str]:
        ended = await self._commands.run(
            "checking types", _TYPE_CHECK, cwd=APP, timeout_s=TYPES_TIMEOUT_S
        )
        return ended.code, ended.output

    async def _tell_lease(self, seconds: int) -> None:
        await self._calls.make(
            "renewing the sandbox's lease", lambda: self._sdk.set_timeout(seconds)
        )

    async def _while_alive(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do work in the sandbox, which is a use of it; its end is the work's end too."""
        if self._why_ended:
            work.close()
            raise self._gone()
        self._lease.renew()
        task = asyncio.create_task(work, name=f"sandbox-work-{self.id}")
        self._work.add(task)
        try:
            return await task
        except SandboxGone as error:
            self._why_ended = self._why_ended or error.message
            raise
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._why_ended and (caller is None or not caller.cancelling()):
                raise self._gone() from None
            raise
        finally:
            self._work.discard(task)

    def _gone(self) -> SandboxGone:
        return SandboxGone(f"The sandbox {self.id} has ended. {self._why_ended}")

    def _afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"sandbox-cleanup-{self.id}")
        self._left.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._left.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the task %s broke", task.get_name(), exc_info=error)
