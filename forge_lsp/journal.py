"""The one way into the journal: what is queued is committed as one group, then shown.

A commit takes about as long for a hundred events as for one, so events that come while one is
under way wait for the next and go together. Nobody sees an event before it is committed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded
from forge_lsp.ports import JournalEntry, Store

log = logging.getLogger(__name__)

MAX_GROUP = 500
"""Events that are committed together at most, so that nobody waits long behind a flood."""


@dataclass(frozen=True, slots=True)
class _Queued:
    entry: JournalEntry
    committed: "asyncio.Future[None]"
    publish: Callable[[Recorded], None]


class Journal:
    """Commits events of all runs in the order in which they were put."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: list[_Queued] = []
        self._last: asyncio.Future[None] | None = None
        self._broken: dict[str, StoreFailed] = {}
        """The runs whose journals have a gap: the store would refuse what comes after it, and
        with it the whole group."""
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """How many events wait to be committed."""
        return len(self._queue)

    def put(
        self, run_id: str, recorded: Recorded, publish: Callable[[Recorded], None]
    ) -> "asyncio.Future[None]":
        """Queue an event; `publish` is called once it is committed, and the future is done.

        The future raises `StoreFailed` where the commit failed; nothing was published then.
        """
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="journal writer")
        committed = asyncio.get_running_loop().create_future()
        # Deltas are put without anybody awaiting them; their run hears of a failure at its end.
        committed.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._queue.append(_Queued(JournalEntry(run_id, recorded), committed, publish))
        self._last = committed
        self._wake.set()
        return committed

    async def close(self) -> None:
        """Commit what was put, then stop."""
        if self._writer is None:
            return
        # All go in order, so once the last is done nothing waits and nothing is under way.
        while self._last is not None and not self._last.done():
            await asyncio.wait([self._last])
        self._writer.cancel()
        await asyncio.wait([self._writer])

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            group, self._queue = self._queue[:MAX_GROUP], self._queue[MAX_GROUP:]
            if not self._queue:
                self._wake.clear()
            if group:
                await self._commit(group)

    async def _commit(self, waiting: list[_Queued]) -> None:
        group = [queued for queued in waiting if not self._is_refused(queued)]
        if not group:
            return
        try:
            await self._store.append([queued.entry for queued in group])
        except StoreFailed as error:
            self._refuse(group, error)
            return
        except Exception as error:
            # The writer must outlive a fault of ours, or every run would wait for it for ever.
            log.exception("the journal could not be written")
            self._refuse(group, StoreFailed(f"The journal could not be written: {error!r}."))
            return
        for queued in group:
            queued.publish(queued.entry.recorded)
            if not queued.committed.done():
                queued.committed.set_result(None)

    def _refuse(self, group: list[_Queued], error: StoreFailed) -> None:
        log.error("%d event(s) were not journalled: %s", len(group), error)
        for queued in group:
            self._broken[queued.entry.run_id] = error
            self._is_refused(queued)

    def _is_refused(self, queued: _Queued) -> bool:
        """Refuse an event of a run that lost one before."""
        error = self._broken.get(queued.entry.run_id)
        if error is not None and not queued.committed.done():
            queued.committed.set_exception(error)
        return error is not None
