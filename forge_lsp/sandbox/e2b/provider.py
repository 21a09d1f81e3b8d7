"""The provider of sandboxes at E2B."""

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from e2b import AsyncSandbox, NotFoundException, SandboxException, SandboxInfo, SandboxQuery
from e2b_code_interpreter import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncSandbox as CodeSandbox,
)

from forge_lsp.errors import ForgeError, NotFound, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import IsolationReport, Sandbox, StageSink
from forge_lsp.sandbox.e2b import terms
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.cloud import Cloud, template_name
from forge_lsp.sandbox.e2b.instance import E2bSandbox, Surroundings
from forge_lsp.sandbox.e2b.lease import duration_s
from forge_lsp.sandbox.e2b.preview import open_session
from forge_lsp.sandbox.lease import Clock
from forge_lsp.sandbox.template import template_files
from forge_lsp.settings import Places, SandboxSettings, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftSandbox:
    """One that E2B still has, of this user on this machine."""

    id: str
    process: str
    """The id of the process that made it, which may have ended."""
    is_paused: bool


class E2bProvider:
    """Makes sandboxes at E2B, and finds those that an earlier process made."""

    def __init__(
        self, settings: Settings, places: Places, *, clock: Clock = time.monotonic
    ) -> None:
        self._settings: SandboxSettings = settings.sandbox
        self._places = places
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._sandboxes: dict[str, E2bSandbox] = {}
        self._making: set[asyncio.Task[AsyncSandbox]] = set()
        self._discarding: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def name(self) -> str:
        """What settings call it."""
        return "e2b"

    async def isolation(self) -> IsolationReport:
        """Each sandbox is a machine of its own, and none is ours."""
        reach = "the whole network" if self._settings.e2b_internet else "npm's registry only"
        return IsolationReport("full", f"a virtual machine at E2B, which reaches {reach}")

    async def create(self, on_stage: StageSink) -> Sandbox:
        """A sandbox that holds the template, with its preview answering.

        Raises `SandboxFailed` where there is no key, no template, or no sandbox to be had.
        """
        shared, owner = await self._opened()
        on_stage("Asking E2B for a sandbox...")
        return await self._ready(await self._made(shared.calls, owner, on_stage), shared, on_stage)

    async def left(self) -> Sequence[LeftSandbox]:
        """The sandboxes that E2B still has of ours, those of other processes too."""
        shared, owner = await self._opened()
        found: list[SandboxInfo] = []
        pages = CodeSandbox.list(
            SandboxQuery(metadata={terms.OWNER_LABEL: owner}), **shared.calls.cloud.parameters
        )
        while pages.has_next:
            found += await shared.calls.make("listing sandboxes", pages.next_items)
        return [
            LeftSandbox(
                each.sandbox_id,
                each.metadata.get(terms.PROCESS_LABEL, ""),
                each.state.value == "paused",
            )
            for each in found
        ]

    async def reconnect(self, sandbox_id: str, on_stage: StageSink) -> Sandbox:
        """Take up a sandbox that an earlier process made; one that is paused goes on.

        Raises `NotFound` for one that isn't there, or is somebody else's.
        """
        known = self._sandboxes.get(sandbox_id)
        if known is not None and not known.is_over:
            return known
        if sandbox_id not in {each.id for each in await self.left()}:
            raise NotFound(f"E2B has no sandbox {sandbox_id} of yours.")
        shared, _ = await self._opened()
        calls = shared.calls

        async def connect() -> AsyncSandbox:
            try:
                return await CodeSandbox.connect(
                    sandbox_id, duration_s(self._settings.lease_s), **calls.cloud.parameters
                )
            except NotFoundException as error:
                raise NotFound(f"E2B has no sandbox {sandbox_id} any more.") from error

        on_stage("Connecting to the sandbox at E2B...")
        sdk = await calls.make("connecting to a sandbox", connect, on_stage)
        return await self._ready(sdk, shared, on_stage)

    async def template(self) -> Mapping[ProjectPath, bytes]:
        """The source files that a new sandbox holds."""
        files = await asyncio.to_thread(template_files)
        return {ProjectPath.parse(path): content for path, content in files.items()}

    async def close(self) -> None:
        """End every sandbox that it made; one that E2B can't be told of ends with its lease."""
        self._closed = True
        await asyncio.gather(*self._making, return_exceptions=True)
        ending = [each.end("Its server has ended.") for each in self._sandboxes.values()]
        for answer in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(answer, ForgeError):
                log.warning("a sandbox ends with its lease only: %s", answer.message)
            elif isinstance(answer, BaseException):
                log.error("a sandbox's end broke", exc_info=answer)
        await asyncio.gather(*self._discarding, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _opened(self) -> tuple[Surroundings, str]:
        if self._closed:
            raise SandboxFailed("The server is ending.", remedy="")
        settings = self._settings
        calls = Calls(Cloud.of(settings), settings.e2b_attempts, settings.e2b_max_retry_delay_s)
        owner = await asyncio.to_thread(terms.owner, self._places.state)
        if self._session is None:
            self._session = open_session()
        return Surroundings(calls, self._session, settings, self._clock), owner

    async def _made(self, calls: Calls, owner: str, on_stage: StageSink) -> AsyncSandbox:
        """Whoever gives up while E2B makes one has it ended as soon as it is there."""
        making = asyncio.create_task(self._make(calls, owner, on_stage), name="e2b-create")
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._discard(making, calls)
            raise

    async def _make(self, calls: Calls, owner: str, on_stage: StageSink) -> AsyncSandbox:
        settings = self._settings
        template = await asyncio.to_thread(template_name, settings)
        # With the same key, a call that is made again makes no second sandbox.
        key = uuid.uuid4().hex

        async def create() -> AsyncSandbox:
            try:
                return await CodeSandbox.create(
                    template,
                    duration_s(settings.lease_s),
                    metadata=terms.labels(owner),
                    network=terms.network(settings),
                    lifecycle=terms.lifecycle(settings),
                    idempotency_key=key,
                    **calls.cloud.parameters,
                )
            except SandboxException as error:
                if error.status_code == 404:
                    raise SandboxFailed(
                        f"E2B has no template {template}.",
                        remedy="Run `forge-lsp e2b build-template` once for each account.",
                    ) from error
                raise

        return await calls.make("making a sandbox", create, on_stage)

    async def _ready(
        self, sdk: AsyncSandbox, shared: Surroundings, on_stage: StageSink
    ) -> E2bSandbox:
        self._sandboxes = {name: each for name, each in self._sandboxes.items() if not each.is_over}
        sandbox = self._sandboxes[sdk.sandbox_id] = E2bSandbox(sdk, shared)
        try:
            await sandbox.ready(on_stage)
        except BaseException:
            self._end_later(sandbox)
            raise
        return sandbox

    def _discard(self, making: "asyncio.Task[AsyncSandbox]", calls: Calls) -> None:
        async def discard() -> None:
            await asyncio.wait({making})
            if not making.cancelled() and making.exception() is None:
                await calls.make("ending a sandbox that nobody wants", making.result().kill)

        self._do_later(discard())

    def _end_later(self, sandbox: E2bSandbox) -> None:
        self._do_later(sandbox.end("It was never ready."))

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="e2b-discard")
        self._discarding.add(task)
        task.add_done_callback(self._discarded)

    def _discarded(self, task: asyncio.Task[None]) -> None:
        self._discarding.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a sandbox ends with its lease only: %s", error)
