"""One sandbox in the cloud."""

import asyncio
import shlex
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp
from e2b import AsyncSandbox, SandboxState

from forge_lsp.errors import BrowserMissing, ForgeError, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    InstallReport,
    LogLine,
    OutputSink,
    StageSink,
)
from forge_lsp.ports.workspace import Files as Contents
from forge_lsp.sandbox.diagnosis.reports import Diagnosis
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.commands import Commands
from forge_lsp.sandbox.e2b.files import APP, OWN, Files
from forge_lsp.sandbox.e2b.following import LOG_FILE, Following
from forge_lsp.sandbox.e2b.installs import Installer
from forge_lsp.sandbox.e2b.lease import CloudLease
from forge_lsp.sandbox.e2b.life import Life
from forge_lsp.sandbox.e2b.managers import Manager, npm
from forge_lsp.sandbox.e2b.own import OwnProject
from forge_lsp.sandbox.e2b.preview import PORT, Observed, OwnPreview, Preview
from forge_lsp.sandbox.e2b.programs import Programs
from forge_lsp.sandbox.installing.packages import PackageRequest
from forge_lsp.sandbox.installing.project import Project
from forge_lsp.sandbox.lease import Clock
from forge_lsp.settings import SandboxSettings

ALIVE_TIMEOUT_S = 10.0
TYPES_TIMEOUT_S = 60.0
FAILURE_CHARACTERS = 2_000
LOG_CHARACTERS = 20_000
"""Of the dev server's log, in the diagnostics."""

_DEV_SERVER = f"exec sh {OWN}/dev-server.sh"
_TSC = "exec node node_modules/typescript/bin/tsc"

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
        self._life = Life(sdk.sandbox_id, calls, self._end)
        afterwards = self._life.afterwards
        self._commands = Commands(sdk, calls, afterwards)
        self._programs = Programs(self._commands, calls, afterwards)
        self._files = Files(sdk, calls, self._commands, afterwards)
        with_npm = npm(self._commands, self._files, shared.settings)
        self._installer = Installer(self._commands, self._files, with_npm)
        self._lease = CloudLease(
            shared.settings.lease_s, shared.clock, self._tell_lease, afterwards
        )
        self._preview = Preview(
            shared.session, calls.cloud.preview_of(sdk.sandbox_id, sdk.sandbox_domain, PORT)
        )
        self._own = OwnProject(
            self._commands,
            self._files,
            with_npm,
            lambda port: OwnPreview(
                shared.session, calls.cloud.preview_of(sdk.sandbox_id, sdk.sandbox_domain, port)
            ),
        )
        self._following = Following(
            self._commands,
            self._is_running,
            lambda: self._preview.ready(shared.settings.start_timeout_s),
        )
        self._diagnosis = Diagnosis(self._subject)
        self._installing = asyncio.Lock()

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
        return self._life.is_over

    async def ready(self, on_stage: StageSink) -> None:
        """Wait until the preview answers; starts its dev server where none is running."""
        on_stage("Waiting for the preview...")
        if await self._preview.is_shut():
            await self._use(self._start_dev_server())
        await self._use(self._quoting(self._preview.ready(self._settings.start_timeout_s)))

    async def hold(self, found: Project, contents: Contents, on_stage: StageSink) -> None:
        """Hold a project that starts by its own script, with its page answering; raises
        `SandboxFailed` where it can't be installed or doesn't start."""
        manager = await self._use(self._own.fill(found, contents, on_stage))
        await self._follow_own(manager)

    async def resume(self, on_stage: StageSink) -> None:
        """What `ready` or `hold` did in an earlier process."""
        manager = await self._use(self._own.recall(on_stage))
        if manager is None:
            await self.ready(on_stage)
        else:
            await self._follow_own(manager)

    async def is_alive(self) -> bool:
        """False once it has been ended or can't be reached; doesn't wake one that is paused."""
        if self._life.why_ended:
            return False
        try:
            async with asyncio.timeout(ALIVE_TIMEOUT_S):
                await self._is_running()
        except (ForgeError, TimeoutError):
            return False
        return True

    def renew(self) -> None:
        """Start its lease anew; nothing where it has ended."""
        if not self._life.why_ended:
            self._lease.renew()

    async def files(self) -> Sequence[ProjectPath]:
        """Its regular files, sorted, without node_modules, .git and dist."""
        return await self._use(self._files.list())

    async def read(self, path: ProjectPath) -> bytes:
        """Raises `NotFound` where there is no regular file."""
        return await self._use(self._files.read(path))

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once."""
        await self._use(self._files.write(path, content))

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        """Put many files in place, in a few requests, and take away those that are None."""
        return await self._use(self._files.put(contents))

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        await self._use(self._files.delete(path))

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages; what is there already is installed at once."""
        asked = [PackageRequest.parse(each) for each in packages]
        async with self._installing:
            try:
                report = await self._use(self._installer.install(asked))
                self._diagnosis.installed(report)
                return report
            finally:
                self._diagnosis.forget()

    async def run(self, command: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        """Run a program in the app's folder; nothing that it started outlives it."""
        try:
            return await self._use(self._programs.run(command, on_output, timeout_s))
        finally:
            self._diagnosis.forget()

    async def screenshot(self) -> bytes:
        """Raises `BrowserMissing`: the machine at E2B holds no browser, and one on this machine
        that looked at its public page would be confined by nothing."""
        raise BrowserMissing(
            "A sandbox at E2B has no browser to look at its page with.",
            remedy=f"Open {self.url} in a browser.",
        )

    async def diagnostics(
        self, changed: Collection[ProjectPath] | None = None
    ) -> DiagnosticsReport:
        """Ask the dev server for its modules, and the compiler for the types."""
        return await self._use(self._diagnosis.report(changed))

    async def stirred(self) -> None:
        """Wait until the dev server has ended or come back, which its log tells.

        What goes wrong in its page isn't told: the page comes from E2B without passing us, so
        nothing of ours is in it.
        """
        self._following.begin()
        await self._use(self._following.news.heard())

    def logs(self, after: int = 0, limit: int = 500) -> Sequence[LogLine]:
        """The dev server's lines, which are followed from the first call of this on."""
        if not self._life.why_ended:
            self._following.begin()
        return self._following.log.lines(after, limit)

    async def log_grew(self, after: int) -> None:
        """Wait until there is a line with a greater number."""
        if self._following.log.last > after:
            return
        self._following.begin()
        await self._use(self._following.log.grew(after))

    async def kill(self) -> None:
        """End it and all that runs in it."""
        await self.end("It was ended on request.")

    async def end(self, why: str) -> None:
        """End it for this reason, unless it has ended; raises `SandboxFailed` where E2B can't be
        told, so that it ends with its lease only."""
        await self._life.end(why)

    async def _follow_own(self, manager: Manager) -> None:
        self._installer = replace(self._installer, manager=manager)
        await self._use(self._start_dev_server())
        waiting = self._own.preview(self._settings.start_timeout_s)
        self._preview = await self._use(self._quoting(waiting))

    async def _quoting(self, starting: Coroutine[Any, Any, Answer]) -> Answer:
        """What fails to start is told with its last words."""
        try:
            return await starting
        except SandboxFailed as error:
            output = await self._files.own(LOG_FILE, FAILURE_CHARACTERS)
            raise SandboxFailed(
                f"{error.message}\n{output}".strip(), remedy=error.remedy
            ) from error

    async def _end(self) -> None:
        await self._following.close()
        await self._sdk.kill()

    async def _subject(self) -> Subject:
        is_shut, listed, output, place = await asyncio.gather(
            self._preview.is_shut(),
            self._files.list(),
            self._files.own(LOG_FILE, LOG_CHARACTERS),
            self._files.place(),
        )
        if is_shut:
            await self._start_dev_server()
        return Subject(
            server=Observed(self._preview, not is_shut, output.strip(), place),
            files=listed,
            read=self._files.content,
            run_tsc=self._run_tsc,
        )

    async def _start_dev_server(self) -> None:
        await self._commands.leave_running("starting the dev server", _DEV_SERVER, cwd=".")

    async def _run_tsc(self, arguments: Sequence[str]) -> tuple[int, str]:
        ended = await self._commands.run(
            "checking types",
            f"{_TSC} {shlex.join(arguments)}",
            cwd=APP,
            timeout_s=TYPES_TIMEOUT_S,
        )
        return ended.code, ended.output

    async def _is_running(self) -> bool:
        """False where it is paused; raises `SandboxGone` where it has ended."""
        try:
            found = await self._calls.make(f"looking for the sandbox {self.id}", self._sdk.get_info)
        except SandboxGone as error:
            self._life.lost(error.message)
            raise
        return found.state is SandboxState.RUNNING

    async def _tell_lease(self, seconds: int) -> None:
        await self._calls.make(
            "renewing the sandbox's lease", lambda: self._sdk.set_timeout(seconds)
        )

    async def _use(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do work in the sandbox, for which it wakes up and its lease starts anew."""
        self.renew()
        try:
            return await self._life.work(work)
        finally:
            # By now it is awake, if it was paused before.
            self._following.used()
