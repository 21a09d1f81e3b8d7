"""One sandbox on this machine."""

import asyncio
import logging
import socket
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from forge_lsp.errors import BrowserMissing, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import DiagnosticsReport, InstallReport, LogLine, OutputSink
from forge_lsp.sandbox import files
from forge_lsp.sandbox.browser import Browser
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.diagnosis.original_places import OriginalPlaces
from forge_lsp.sandbox.diagnosis.page_errors import PageErrors
from forge_lsp.sandbox.diagnosis.reports import Diagnosis
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.installing.installer import Installer
from forge_lsp.sandbox.installing.packages import PackageRequest
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.lease import Lease
from forge_lsp.sandbox.programs import Programs
from forge_lsp.sandbox.relay import Relay
from forge_lsp.sandbox.writing import Writer

log = logging.getLogger(__name__)

MAX_FILES = 20_000
MAX_FILE_BYTES = 32 * 1024 * 1024

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sandboxes of one provider share."""

    confinement: Confinement
    installer: Installer
    limits: Limits
    browser: Browser | None
    """None where no pictures of previews are wanted."""


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
        self._writer = Writer(folder, shared.confinement.owner())
        toolbox = shared.installer.manager.program.toolbox
        self._programs = Programs(shared.confinement, folder, shared.limits, toolbox)
        self._diagnosis = Diagnosis(self._subject)
        places = OriginalPlaces(f"{folder.name}.localhost", server.get, self._read_own)
        self._page_errors = PageErrors(places, server.log, server.news)
        relay.report_to(self._page_errors.take)
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
        return await self._read_own(path)

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once."""
        self._check()
        self._page_errors.files_change([path])
        await self._writer.write(path, content)

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        """Put many files in place, and take away those that are None; gives those that could not
        be, and why, for people."""
        self._check()
        self._page_errors.files_change(contents.keys())
        return await self._writer.put(contents)

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        self._check()
        self._page_errors.files_change([path])
        await self._writer.delete(path)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages; what is there already is installed at once."""
        asked = [PackageRequest.parse(each) for each in packages]
        self._check()
        async with self._installing:
            self._check()
            try:
                work = self._shared.installer.install(self._folder, asked)
                report = await self._while_alive(work)
                self._diagnosis.installed(report)
                return report
            finally:
                self._diagnosis.forget()

    async def run(self, command: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        """Run a program in its folder, beside the dev server and as confined as that."""
        self._check()
        try:
            return await self._while_alive(self._programs.run(command, on_output, timeout_s))
        finally:
            self._diagnosis.forget()

    async def diagnostics(
        self, changed: Collection[ProjectPath] | None = None
    ) -> DiagnosticsReport:
        """Ask the dev server for its modules, and the compiler for the types."""
        self._check()
        return await self._while_alive(self._diagnosis.report(changed))

    async def stirred(self) -> None:
        """Wait until there is something new to tell that no write of ours would."""
        self._check_life()
        await self._while_alive(self._server.news.heard())

    async def screenshot(self) -> bytes:
        """A PNG of the preview's page, as a browser shows it that is itself confined."""
        self._check()
        browser = self._shared.browser
        if browser is None:
            raise BrowserMissing(
                "Pictures of previews are switched off.", remedy="Switch sandbox.screenshots on."
            )
        return await self._while_alive(browser.picture(self._id, self._open_relay))

    def logs(self, after: int = 0, limit: int = 500) -> Sequence[LogLine]:
        """The lines with a greater `seq` that are still kept, oldest first, at most `limit`."""
        return self._server.log.lines(after, limit)

    async def log_grew(self, after: int) -> None:
        """Wait until there is a line with a greater `seq` than `after`."""
        self._check_life()
        await self._while_alive(self._server.log.grew(after))

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
        await asyncio.gather(self._server.close(), self._relay.close(), self._page_errors.close())
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
                self._check_life()
            raise
        finally:
            self._work.discard(task)

    def _gone(self) -> bool:
        return self._ending is not None or bool(self._server.why_ended)

    def _check(self) -> None:
        """See that it lives, which is a use of it."""
        self._check_life()
        self.renew()

    def _check_life(self) -> None:
        if self._gone():
            why = self._why_ended or self._server.why_ended
            raise SandboxGone(f"The sandbox {self._id} has ended. {why}".strip())

    async def _subject(self) -> Subject:
        return Subject(
            server=self._server,
            files=await self.files(),
            read=self.read,
            run_tsc=self._programs.run_tsc,
            page_errors=self._page_errors.found,
        )

    async def _read_own(self, path: ProjectPath) -> bytes:
        """A file's content for our own use, which is none of the sandbox's."""
        return await asyncio.to_thread(files.read_file, self._folder, path, MAX_FILE_BYTES)

    async def _open_relay(self, listener: socket.socket) -> Relay:
        """Another way to the preview, for a browser of our own."""
        relay = await Relay.start(self._id, self._server.session, self.renew, listener)
        relay.report_to(self._page_errors.take)
        return relay
