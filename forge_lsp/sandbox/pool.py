"""Sandboxes that are warm before anybody asks for them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from forge_lsp.errors import ForgeError
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox.instance import LocalSandbox

log = logging.getLogger(__name__)

Make = Callable[[StageSink], Awaitable[LocalSandbox]]


class Pool:
    """Keeps up to `size` sandboxes ready, once the first was asked for.

    Those who made the sandboxes end them; the pool only ends its own work.
    """

    def __init__(self, make: Make, size: int) -> None:
        self._make = make
        self._size = size
        self._warm: list[LocalSandbox] = []
        self._refilling: asyncio.Task[None] | None = None

    async def take(self, on_stage: StageSink) -> LocalSandbox:
        """A warm one where there is one, else a new one; another is warmed up afterwards."""
        taken: LocalSandbox | None = None
        while self._warm and taken is None:
            candidate = self._warm.pop(0)
            if await candidate.is_alive():
                taken = candidate
        if taken is None:
            taken = await self._make(on_stage)
        taken.renew()
        self._refill()
        return taken

    def holds(self, sandbox: LocalSandbox) -> bool:
        """Whether it still waits to be handed out."""
        return sandbox in self._warm

    async def filled(self) -> None:
        """Wait until nothing is being warmed up."""
        if self._refilling is not None:
            await asyncio.wait({self._refilling})

    async def close(self) -> None:
        """Warm up no more."""
        if self._refilling is not None:
            self._refilling.cancel()
            await asyncio.wait({self._refilling})

    def _refill(self) -> None:
        if self._refilling is None or self._refilling.done():
            self._refilling = asyncio.create_task(self._fill(), name="sandbox-pool")

    async def _fill(self) -> None:
        try:
            while len(self._warm) < self._size:
                self._warm.append(await self._make(lambda _: None))
        except ForgeError as error:
            # Nobody asked for this one; whoever asks next tries again, and is told.
            log.warning("no sandbox could be warmed up: %s", error.for_people())
        except Exception:
            log.exception("the sandbox pool broke")
            raise
