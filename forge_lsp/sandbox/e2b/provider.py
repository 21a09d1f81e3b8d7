"""The provider of sandboxes at E2B."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from e2b import AsyncSandbox, NotFoundException, SandboxInfo, SandboxQuery
from e2b_code_interpreter import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncSandbox as CodeSandbox,
)

from forge_lsp.errors import ForgeError, NotFound, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import IsolationReport, PythonOutput, Sandbox, StageSink
from forge_lsp.ports.workspace import Files
from forge_lsp.processes import is_alive
from forge_lsp.sandbox.contents import lay_over
from forge_lsp.sandbox.e2b import terms
from forge_lsp.sandbox.e2b.claims import Claims
from forge_lsp.sandbox.e2b.cloud import template_name
from forge_lsp.sandbox.e2b.instance import E2bSandbox, Surroundings
from forge_lsp.sandbox.e2b.lease import duration_s
from forge_lsp.sandbox.e2b.machines import Account, Machines
from forge_lsp.sandbox.e2b.preview import open_session
from forge_lsp.sandbox.e2b.python import Python
from forge_lsp.sandbox.lease import Clock
from forge_lsp.sandbox.own_projects import recognise
from forge_lsp.sandbox.template import template_files
from forge_lsp.settings import Places, SandboxSettings, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftSandbox:
    """One that E2B still has, of this user on this machine."""

    id: str
    process: str
    """The process that made it and may have ended, as `this_process` named it."""
    started_at: datetime
    is_paused: bool


class E2bProvider:
    """Makes sandboxes at E2B, and finds those that an earlier process made."""

    def __init__(
        self, settings: Settings, places: Places, *, clock: Clock = time.monotonic
    ) -> None:
        self._settings: SandboxSettings = settings.sandbox
        self._clock = clock
        self._machines = Machines(settings.sandbox, places)
        self._python = Python(settings, places, clock=clock)
        self._claims = Claims(places.state / "e2b-claims")
        self._session: aiohttp.ClientSession | None = None
        self._sandboxes: dict[str, E2bSandbox] = {}

    @property
    def name(self) -> str:
        """What settings call it."""
        return "e2b"

    async def isolation(self) -> IsolationReport:
        """Each sandbox is a machine of its own, and none is ours."""
        reach = "the whole network" if self._settings.e2b_internet else "npm's registry only"
        return IsolationReport("full", f"a virtual machine at E2B, which reaches {reach}")

    async def create(
        self, on_stage: StageSink, contents: Files | None = None, project: str = ""
    ) -> Sandbox:
        """A sandbox that holds the template and `contents`, or a project that starts by its own
        script, with its preview answering.

        Raises `SandboxFailed` where there is no key, no template, or no sandbox to be had.
        """
        account = await self._machines.account()
        on_stage("Asking E2B for a sandbox...")
        template = await asyncio.to_thread(template_name, self._settings)
        labels = terms.labels(account.owner, project)
        sdk = await self._machines.make(account, template, labels, on_stage)
        return await self._begun(
            sdk, account, lambda sandbox: self._fill(sandbox, contents, on_stage)
        )

    async def left(self, project: str = "") -> Sequence[LeftSandbox]:
        """The sandboxes that E2B still has of ours, those of other processes too, the newest
        first; with `project`, that one's only."""
        account = await self._machines.account()
        wanted = {terms.OWNER_LABEL: account.owner, terms.KIND_LABEL: terms.APP_KIND}
        if project:
            wanted[terms.PROJECT_LABEL] = terms.project_label(account.owner, project)
        pages = CodeSandbox.list(SandboxQuery(metadata=wanted), **account.calls.cloud.parameters)
        found: list[SandboxInfo] = []
        while pages.has_next:
            found += await account.calls.make("listing sandboxes", pages.next_items)
        left = [
            LeftSandbox(
                each.sandbox_id,
                each.metadata.get(terms.PROCESS_LABEL, ""),
                each.started_at,
                each.state.value == "paused",
            )
            for each in found
        ]
        return sorted(left, key=lambda each: each.started_at, reverse=True)

    async def reconnect(self, project: str, on_stage: StageSink) -> Sandbox | None:
        """The newest sandbox of the project whose maker is dead, and which no other process has
        taken up since; None where there is none."""
        for each in await self.left(project):
            if await asyncio.to_thread(self._is_free, each):
                try:
                    return await self.take_up(each.id, on_stage)
                except (NotFound, SandboxGone):
                    log.info("sandbox %s has ended before it could be taken up", each.id)
        return None

    async def take_up(self, sandbox_id: str, on_stage: StageSink) -> Sandbox:
        """Connect to a sandbox that an earlier process made; one that is paused goes on.

        Raises `NotFound` for one that isn't there, or is somebody else's.
        """
        known = self._sandboxes.get(sandbox_id)
        if known is not None and not known.is_over:
            return known
        if sandbox_id not in {each.id for each in await self.left()}:
            raise NotFound(f"E2B has no sandbox {sandbox_id} of yours.")
        account = await self._machines.account()
        calls = account.calls

        async def connect() -> AsyncSandbox:
            try:
                return await CodeSandbox.connect(
                    sandbox_id, duration_s(self._settings.lease_s), **calls.cloud.parameters
                )
            except NotFoundException as error:
                raise NotFound(f"E2B has no sandbox {sandbox_id} any more.") from error

        on_stage("Connecting to the sandbox at E2B...")
        sdk = await calls.make("connecting to a sandbox", connect, on_stage)
        return await self._begun(sdk, account, lambda sandbox: sandbox.resume(on_stage))

    async def run_python(self, project: str, code: str, on_stage: StageSink) -> PythonOutput:
        """Run it in the project's own machine for Python, which is made where there is none."""
        return await self._python.run(project, code, on_stage)

    async def template(self) -> Mapping[ProjectPath, bytes]:
        """The source files that a new sandbox holds."""
        files = await asyncio.to_thread(template_files)
        return {ProjectPath.parse(path): content for path, content in files.items()}

    async def close(self) -> None:
        """End every sandbox that it made; one that E2B can't be told of ends with its lease."""
        await self._machines.stop()
        await self._python.close()
        ending = [each.end("Its server has ended.") for each in self._sandboxes.values()]
        for answer in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(answer, ForgeError):
                log.warning("a sandbox ends with its lease only: %s", answer.message)
            elif isinstance(answer, BaseException):
                log.error("a sandbox's end broke", exc_info=answer)
        await self._machines.close()
        await asyncio.to_thread(self._claims.give_back)
        if self._session is not None:
            await self._session.close()

    def _is_free(self, left: LeftSandbox) -> bool:
        """Whether it is ours from now on; its maker, or another process, may be using it."""
        return not is_alive(left.process) and self._claims.take(left.id)

    async def _fill(self, sandbox: E2bSandbox, contents: Files | None, on_stage: StageSink) -> None:
        if contents is None:
            await sandbox.ready(on_stage)
            return
        template = await self.template()
        if own := await recognise(contents, template):
            await sandbox.hold(own, contents, on_stage)
        else:
            await sandbox.ready(on_stage)
            await lay_over(sandbox, tuple(template), contents, on_stage)

    async def _begun(
        self, sdk: AsyncSandbox, account: Account, begin: Callable[[E2bSandbox], Awaitable[None]]
    ) -> E2bSandbox:
        """The sandbox of a machine, once it has begun; else the machine ends."""
        if self._session is None:
            self._session = open_session()
        shared = Surroundings(account.calls, self._session, self._settings, self._clock)
        self._sandboxes = {name: each for name, each in self._sandboxes.items() if not each.is_over}
        sandbox = self._sandboxes[sdk.sandbox_id] = E2bSandbox(sdk, shared)
        try:
            await begin(sandbox)
        except BaseException:
            self._machines.do_later(sandbox.end("It was never ready."))
            raise
        return sandbox
