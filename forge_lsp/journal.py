"""The one way into the journal: what is queued is committed as one group, then shown.

A commit takes about as long for a hundred events as for one, so events that come while one is
under way wait for the next and go together. Nobody sees an event before it is committed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded
from forge_lsp.ports.store import JournalEntry, Store

log = logging.getLogger(__name__)

MAX_GROUP = 500
"""Events that are committed together at most, so that nobody waits long behind a flood."""


@dataclass(slots=True)
class _Group:
    """What is committed together."""

    settled: "asyncio.Future[None]"
    """Done once each of its events is committed and shown, or refused; never an error."""
    entries: list[JournalEntry] = field(default_factory=list[JournalEntry])
    publish: list[Callable[[Recorded], None]] = field(
        default_factory=list[Callable[[Recorded], None]]
    )


class Journal:
    """Commits events of all runs in the order in which they were put."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Group] = deque()
        self._last: _Group | None = None
        """The group that was opened last; whatever was put is settled once it is."""
        self._broken: dict[str, StoreFailed] = {}
        """The runs whose journals have a gap: the store would refuse what comes after it, and
        with it the whole group."""
        self.backlog = 0
        """How many events wait for their commit to begin."""
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def put(self, run_id: str, recorded: Recorded, publish: Callable[[Recorded], None]) -> None:
        """Queue an event; `publish` is called once it is committed, and never where it isn't."""
        if not self._waiting or len(self._waiting[-1].entries) == MAX_GROUP:
            self._last = _Group(asyncio.get_running_loop().create_future())
            self._waiting.append(self._last)
            self._wake.set()
        group = self._waiting[-1]
        group.entries.append(JournalEntry(run_id, recorded))
        group.publish.append(publish)
        self.backlog += 1
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="journal writer")

    async def settle(self, run_id: str) -> None:
        """Wait until all that was put is committed and shown.

        Raises `StoreFailed` where an event of this run was not.
        """
        if self._last is not None:
            # Many may wait for one group, and one of them be cancelled.
            await asyncio.shield(self._last.settled)
        self.check(run_id)

    async def has_moved(self) -> None:
        """Wait until some of what waits is committed and shown, or refused."""
        if self._waiting:
            await asyncio.shield(self._waiting[0].settled)

    def check(self, run_id: str) -> None:
        """Raise `StoreFailed` where an event of this run was not committed."""
        if error := self._broken.get(run_id):
            raise error

    async def close(self) -> None:
        """Commit what was put, then stop."""
        if self._writer is None or self._last is None:
            return
        # All go in order, so once the last is done nothing waits and nothing is under way.
        while not self._last.settled.done():
            await asyncio.wait([self._last.settled])
        self._writer.cancel()
        await asyncio.wait([self._writer])

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            while self._waiting:
                group = self._waiting.popleft()
                self.backlog -= len(group.entries)
                await self._commit(group)
                group.settled.set_result(None)
            self._wake.clear()

    async def _commit(self, group: _Group) -> None:
        if self._broken:
            _leave_out(group, self._broken)
        if not group.entries:
            return
        try:
            await self._store.append(group.entries)
        except StoreFailed as error:
            self._refuse(group, error)
            return
        except Exception as error:
            # The writer must outlive a fault of ours, or every run would wait for it for ever.
            log.exception("the journal could not be written")
            self._refuse(group, StoreFailed(f"The journal could not be written: {error!r}."))
            return
        for entry, publish in zip(group.entries, group.publish, strict=True):
            publish(entry.recorded)

    def _refuse(self, group: _Group, error: StoreFailed) -> None:
        log.error("%d event(s) were not journalled: %s", len(group.entries), error)
        self._broken |= {entry.run_id: error for entry in group.entries}


def _leave_out(group: _Group, broken: Container[str]) -> None:
    """Take out the events of runs that lost one before."""
    kept = [
        (entry, publish)
        for entry, publish in zip(group.entries, group.publish, strict=True)
        if entry.run_id not in broken
    ]
    group.entries = [entry for entry, _ in kept]
    group.publish = [publish for _, publish in kept]
