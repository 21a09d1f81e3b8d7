"""The threads on which a store's work is done: one writes, a few read."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from forge_lsp.errors import StoreFailed

log = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 4
"""Reads that are under way at once; more wait for their turn."""


class Threads:
    """Work that was begun is carried through, though whoever waits for it be cancelled."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._writer = ThreadPoolExecutor(1, "database writer")
        self._readers = ThreadPoolExecutor(READERS, "database reader")
        self._is_closed = False

    async def write(self, work: Callable[[], T]) -> T:
        """Do it once all that was to be written before is done."""
        return await self._carry_through(self._writer, work)

    async def read(self, work: Callable[[], T]) -> T:
        """Do it beside whatever else is under way."""
        return await self._carry_through(self._readers, work)

    def refuse(self) -> None:
        """Take no more work; what comes from now on raises `StoreFailed`."""
        self._is_closed = True

    def end(self) -> None:
        """Finish what is under way; blocks."""
        self._writer.shutdown()
        self._readers.shutdown()

    async def _carry_through(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreFailed(f"The database {self._place} was closed: forge-lsp is ending.")
        loop = asyncio.get_running_loop()
        # A future of its own: to cancel an executor's drops the work that waits for its turn.
        answer: asyncio.Future[T] = loop.create_future()

        def carry_out() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - Whoever asked raises it.
                loop.call_soon_threadsafe(_fail, answer, error)
            else:
                loop.call_soon_threadsafe(_succeed, answer, result)

        threads.submit(carry_out)
        return await answer


def _succeed(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if answer.done():
        log.warning("what nobody waits for any more could not be done: %s", error)
    else:
        answer.set_exception(error)
