"""Whether a machine at E2B is still there, and the work that ends with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from forge_lsp.errors import SandboxGone
from forge_lsp.sandbox.e2b.calls import Calls

log = logging.getLogger(__name__)

CANCEL_AGAIN_S = 1.0

Answer = TypeVar("Answer")


class Life:
    """One machine's life, from the moment when E2B has given it to us."""

    def __init__(
        self, machine_id: str, calls: Calls, kill: Callable[[], Awaitable[object]]
    ) -> None:
        """`kill` is the SDK's call that ends it."""
        self.why_ended = ""
        """Why it is over, as a sentence; empty while it isn't, as far as we know."""
        self._id = machine_id
        self._calls = calls
        self._kill = kill
        self._work: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it at E2B, as far as we know."""
        if self._ending is None:
            return bool(self.why_ended)
        return self._ending.done() and self._ending.exception() is None

    async def work(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do work in it; its end is the work's end too, and raises `SandboxGone`."""
        if self.why_ended:
            work.close()
            raise self._gone()
        task = asyncio.create_task(work, name=f"sandbox-work-{self._id}")
        self._work.add(task)
        try:
            await _settled(task)
            return task.result()
        except SandboxGone as error:
            self.lost(error.message)
            raise
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self.why_ended and (caller is None or not caller.cancelling()):
                raise self._gone() from None
            raise
        finally:
            self._work.discard(task)

    def lost(self, why: str) -> None:
        """Take note that E2B has ended it; all work under way ends."""
        if not self.why_ended:
            self.why_ended = why
            for task in self._work:
                task.cancel()

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that nobody waits for, and that the end waits for."""
        task = asyncio.create_task(work, name=f"sandbox-cleanup-{self._id}")
        self._left.add(task)
        task.add_done_callback(self._finished)

    async def end(self, why: str) -> None:
        """End it for this reason, unless it has ended; raises `SandboxFailed` where E2B can't be
        told, so that it ends with its lease only."""
        has_failed = self._ending is not None and self._ending.done() and not self.is_over
        if self._ending is None or has_failed:
            self.why_ended = why
            self._ending = asyncio.create_task(self._end(), name=f"sandbox-end-{self._id}")
        # Whoever waits may give up, but an end that has begun goes on.
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        try:
            await self._calls.make(f"ending the sandbox {self._id}", self._kill)
        except SandboxGone:
            pass
        finally:
            for task in self._left:
                task.cancel()
            await asyncio.gather(*self._left, return_exceptions=True)
        log.info("sandbox %s has ended: %s", self._id, self.why_ended)

    def _gone(self) -> SandboxGone:
        return SandboxGone(f"The sandbox {self._id} has ended. {self.why_ended}")

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._left.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the task %s broke", task.get_name(), exc_info=error)


async def _settled(task: "asyncio.Task[Any]") -> None:
    """Wait for its end. Whoever is cancelled here cancels it too, again and again: what the SDK
    is built on swallows a cancellation now and then."""
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
        if not task.cancelled():
            task.exception()
        raise
