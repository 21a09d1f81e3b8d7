"""Machines at E2B: asked for, and none left behind that nobody wants."""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from e2b import SandboxException
from e2b_code_interpreter import AsyncSandbox  # pyright: ignore[reportMissingTypeStubs]

from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox.e2b import terms
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.cloud import Cloud
from forge_lsp.sandbox.e2b.lease import duration_s
from forge_lsp.sandbox.e2b.managers import registry_url
from forge_lsp.settings import Places, SandboxSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks, and how E2B is asked."""

    calls: Calls
    owner: str
    """Names this user on this machine to E2B."""


class Machines:
    """Makes machines on the terms that the settings name."""

    def __init__(self, settings: SandboxSettings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._making: set[asyncio.Task[AsyncSandbox]] = set()
        self._later: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def account(self) -> Account:
        """Raises `SandboxFailed` where there is no key, or no machine is made any more."""
        if self._stopped:
            raise SandboxFailed("The server is ending.", remedy="")
        settings = self._settings
        calls = Calls(Cloud.of(settings), settings.e2b_attempts, settings.e2b_max_retry_delay_s)
        # Whoever asks again has it from memory.
        await asyncio.to_thread(registry_url, settings)
        return Account(calls, await asyncio.to_thread(terms.owner, self._places.state))

    async def make(
        self, account: Account, template: str, labels: Mapping[str, str], on_stage: StageSink
    ) -> AsyncSandbox:
        """A machine from this template; raises `SandboxFailed`.

        Whoever gives up while E2B makes one has it ended as soon as it is there.
        """
        making = asyncio.create_task(
            self._make(account.calls, template, labels, on_stage), name="e2b-create"
        )
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self.do_later(_discard(making, account.calls))
            raise

    def do_later(self, work: Coroutine[Any, Any, None]) -> None:
        """End a machine without anybody's waiting, but `close`."""
        task = asyncio.create_task(work, name="e2b-discard")
        self._later.add(task)
        task.add_done_callback(self._done)

    async def stop(self) -> None:
        """Make no more."""
        self._stopped = True
        await asyncio.gather(*self._making, return_exceptions=True)

    async def close(self) -> None:
        """Make no more, and wait until what nobody wants is gone."""
        await self.stop()
        await asyncio.gather(*self._later, return_exceptions=True)

    async def _make(
        self, calls: Calls, template: str, labels: Mapping[str, str], on_stage: StageSink
    ) -> AsyncSandbox:
        settings = self._settings
        # With the same key, a call that is made again makes no second machine.
        key = uuid.uuid4().hex

        async def create() -> AsyncSandbox:
            try:
                return await AsyncSandbox.create(
                    template,
                    duration_s(settings.lease_s),
                    metadata=dict(labels),
                    network=terms.network(settings),
                    lifecycle=terms.lifecycle(settings),
                    idempotency_key=key,
                    **calls.cloud.parameters,
                )
            except SandboxException as error:
                if error.status_code == 404:
                    raise _no_template(template) from error
                raise

        return await calls.make("making a sandbox", create, on_stage)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a sandbox ends with its lease only: %s", error)


async def _discard(making: "asyncio.Task[AsyncSandbox]", calls: Calls) -> None:
    await asyncio.wait({making})
    if not making.cancelled() and making.exception() is None:
        await calls.make("ending a sandbox that nobody wants", making.result().kill)


def _no_template(template: str) -> SandboxFailed:
    is_ours = template.startswith("forge-lsp-")
    build = "Run `forge-lsp e2b build-template` once for each account."
    return SandboxFailed(
        f"E2B has no template {template}.",
        remedy=build if is_ours else "Correct the setting that names it.",
    )
