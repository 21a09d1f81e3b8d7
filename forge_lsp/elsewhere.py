"""A run that isn't under way in this process: it has ended, or another process runs it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from forge_lsp.errors import Gone, NotFound
from forge_lsp.events import Recorded
from forge_lsp.ports.store import REMOVED, RunRecord, Store, Watch

LOOK_S = 2.0
"""How often one who waits for a run looks whether it goes on at all."""
NOTE_EVERY_S = 5.0
"""How often its owner is told that there are listeners."""


@asynccontextmanager
async def found_elsewhere(store: Store, run_id: str) -> "AsyncGenerator[Elsewhere]":
    """The run as it can be read to its last word; raises `NotFound` and `Gone`."""
    record = await _readable(store, run_id)
    if record.ended_at is None and not await store.living([record.owner]):
        await store.interrupt_orphans()
        record = await _readable(store, run_id)
    if record.ended_at is not None:
        yield Elsewhere(store, run_id, None)
        return
    with store.watch_run(run_id) as watch:
        await _be_heard_of(store, record)
        yield Elsewhere(store, run_id, watch)


async def _readable(store: Store, run_id: str) -> RunRecord:
    record = await store.run(run_id)
    if record is None:
        raise NotFound(f"There is no run {run_id}.")
    if record.journal == "removed":
        raise Gone(REMOVED.format(run_id))
    return record


async def _be_heard_of(store: Store, run: RunRecord) -> None:
    """Let its owner know that it is listened to: one who tells it is enough for all."""
    now = time.time_ns() // 1_000_000
    if run.heard_at is None or abs(now - run.heard_at) >= NOTE_EVERY_S * 1000:
        await store.note_listener(run.id)


class Elsewhere:
    """Read as a `Run` is, from the store alone."""

    def __init__(self, store: Store, run_id: str, watch: Watch | None) -> None:
        self.id = run_id
        self._store = store
        self._watch = watch
        """None for a run that has ended."""
        self._looked_at = asyncio.get_running_loop().time()

    @property
    def is_finished(self) -> bool:
        """Whether nothing comes any more beside what is in the store by now."""
        return self._watch is None

    def after(self, _seq: int) -> Sequence[Recorded] | None:
        """Memory has nothing of it."""
        return None

    async def changed(self) -> None:
        """Wait until there may be another event; ends a run whose process has died."""
        if self._watch is None:
            return
        await self._watch.changed(LOOK_S)
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            await self._look()

    async def finished(self) -> None:
        """Its last event is committed, or it would not have been read."""

    async def _look(self) -> None:
        record = await _readable(self._store, self.id)
        if record.ended_at is not None:
            self._watch = None
        elif not await self._store.living([record.owner]):
            await self._store.interrupt_orphans()
        else:
            await _be_heard_of(self._store, record)
