"""The newest events of a run in memory, for all who listen to it in this process."""

import asyncio
from collections.abc import Sequence

from forge_lsp.errors import ForgeError
from forge_lsp.events import Recorded

MAX_TAIL = 4096
"""Events of a run that stay in memory; a slower subscriber reads the rest from the store."""
WOKEN_AT_ONCE = 32
"""Subscribers that an event wakes before the event loop's other work has its turn."""
PAGE = 500
"""Events that are read at once."""


class Tail:
    """Grows at its end and is cut off at its start; a listener is only a position in it."""

    def __init__(self, first_seq: int = 1) -> None:
        self._first_seq = first_seq
        """Of the first event that is still held, or that will be."""
        self._held: list[Recorded] = []
        self._waiting: dict[asyncio.Future[None], None] = {}
        """Who waits for the next event, in the order in which they came."""
        self._ended = asyncio.Event()
        self._broken: ForgeError | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended.is_set()

    @property
    def is_broken(self) -> bool:
        """Whether it ended with an error."""
        return self._broken is not None

    @property
    def waiting(self) -> int:
        """How many wait for the next event."""
        return len(self._waiting)

    def publish(self, recorded: Recorded) -> None:
        """Show the next event; its place is right after that of the one before."""
        self._held.append(recorded)
        if len(self._held) > 2 * MAX_TAIL:
            del self._held[:MAX_TAIL]
            self._first_seq = self._held[0].seq
        self._notify()

    def end(self, broken: ForgeError | None = None) -> None:
        """Nothing comes any more; with an error everybody is told that."""
        self._broken = broken
        self._ended.set()
        self._notify()

    def after(self, seq: int) -> Sequence[Recorded] | None:
        """Up to a page of what came after `seq`; None where memory doesn't reach back so far."""
        if self._broken:
            raise self._broken
        start = seq + 1 - self._first_seq
        return None if start < 0 else self._held[start : start + PAGE]

    async def changed(self) -> None:
        """Wait for the next event, or the end."""
        change = asyncio.get_running_loop().create_future()
        self._waiting[change] = None
        try:
            await change
        finally:
            self._waiting.pop(change, None)

    async def ended(self) -> None:
        """Wait for the end."""
        await self._ended.wait()

    def _notify(self) -> None:
        if self._waiting:
            waiting, self._waiting = list(self._waiting), {}
            _wake(waiting)


def _wake(waiting: Sequence["asyncio.Future[None]"]) -> None:
    """A few at a time: whatever else the event loop has to do comes in between."""
    for change in waiting[:WOKEN_AT_ONCE]:
        if not change.done():
            change.set_result(None)
    if len(waiting) > WOKEN_AT_ONCE:
        asyncio.get_running_loop().call_soon(_wake, waiting[WOKEN_AT_ONCE:])
