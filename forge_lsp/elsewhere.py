"""A run that isn't under way in this process: it has ended, or another process runs it."""

import asyncio
import logging
from collections.abc import Sequence

from forge_lsp.clock import now_ms
from forge_lsp.errors import ForgeError, Gone, NotFound
from forge_lsp.events import Recorded, RunFinished
from forge_lsp.ports.store import REMOVED, RunRecord, Store, Watch
from forge_lsp.tail import PAGE, Tail

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often it is looked whether a run that others carry out goes on at all."""
NOTE_EVERY_S = 5.0
"""How often its owner is told that there are listeners."""


async def find_elsewhere(store: Store, run_id: str) -> "Elsewhere":
    """The run as it can be read to its last word; raises `NotFound` and `Gone`."""
    record = await _readable(store, run_id)
    if record.ended_at is None and not await store.living([record.owner]):
        await store.interrupt_orphans()
        record = await _readable(store, run_id)
    return Elsewhere(store, record)


async def _readable(store: Store, run_id: str) -> RunRecord:
    record = await store.run(run_id)
    if record is None:
        raise NotFound(f"There is no run {run_id}.")
    if record.journal == "removed":
        raise Gone(REMOVED.format(run_id))
    return record


class Elsewhere:
    """Listened to as a `Run` is. What it goes on to say is read from the store once for all."""

    def __init__(self, store: Store, record: RunRecord) -> None:
        self.id = record.id
        self.listeners = 0
        """How many subscribers it has now."""
        self.is_open = record.ended_at is None
        """Whether it went on when it was found."""
        self._store = store
        self._seq = record.last_seq
        """Of the last event that was read."""
        self._tail = Tail(record.last_seq + 1)
        self._following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Read what it goes on to say, in the background, until `leave`."""
        self._following = asyncio.create_task(self._follow(), name=f"following {self.id}")
        self._following.add_done_callback(_log_death)

    def leave(self) -> None:
        """Read no more; whoever still listens hears nothing more."""
        if self._following is not None:
            self._following.cancel()
        self._tail.end()

    @property
    def is_finished(self) -> bool:
        """Whether nothing comes any more beside what is in the store by now."""
        return not self.is_open or self._tail.is_ended

    def after(self, seq: int) -> Sequence[Recorded] | None:
        """Up to a page of what came after `seq`; None where memory doesn't reach back so far."""
        return self._tail.after(seq) if self.is_open else None

    async def changed(self) -> None:
        """Wait for the next event."""
        await self._tail.changed()

    async def finished(self) -> None:
        """Its last event is committed, or it would not have been read."""

    async def _follow(self) -> None:
        try:
            with self._store.watch_run(self.id) as watch:
                await self._read(watch)
        except ForgeError as error:
            self._tail.end(error)
        else:
            self._tail.end()

    async def _read(self, watch: Watch) -> None:
        clock = asyncio.get_running_loop().time
        is_open, looked_at = await self._look(), clock()
        while True:
            page = await self._store.events(self.id, self._seq, PAGE)
            for recorded in page:
                self._seq = recorded.seq
                self._tail.publish(recorded)
                if isinstance(recorded.event, RunFinished):
                    return
            if len(page) == PAGE:
                continue
            if not is_open:
                return
            await watch.changed(LOOK_S)
            if clock() - looked_at >= LOOK_S:
                is_open, looked_at = await self._look(), clock()

    async def _look(self) -> bool:
        """Whether it is open; ends one whose owner has died, and lets the others be heard of."""
        record = await _readable(self._store, self.id)
        if record.ended_at is not None:
            return False
        if not await self._store.living([record.owner]):
            await self._store.interrupt_orphans()
        now = now_ms()
        # What another process has noted a moment ago is enough.
        if record.heard_at is None or abs(now - record.heard_at) >= NOTE_EVERY_S * 1000:
            await self._store.note_listener(self.id)
        return True


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s broke", task.get_name(), exc_info=error)
