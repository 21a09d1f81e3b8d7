"""Runs: the only thing that happens.

Everything long is a run: a task with a journal of events. Whoever wants to know what a run does
subscribes to its journal from any point; live and replay are the same loop.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from forge_lsp.clock import now_ms
from forge_lsp.elsewhere import Elsewhere, find_elsewhere
from forge_lsp.errors import Conflict, ForgeError, Gone, NotFound, StoreFailed, TooManyRuns
from forge_lsp.events import Asked, Recorded, RunFinished, RunStarted
from forge_lsp.journal import Journal
from forge_lsp.ports.store import REMOVED, RunRecord, Store
from forge_lsp.run import CANCELLED, Run
from forge_lsp.tail import PAGE

__all__ = ["CANCELLED", "INTERNAL_ERROR", "INTERRUPTED", "PAGE", "Run", "Runs", "Work"]

log = logging.getLogger(__name__)

WISHES_S = 5.0
"""How often a process asks which of its runs others want cancelled, where it hears of nothing."""
INTERNAL_ERROR = (
    "Something in forge-lsp broke; its log tells where. "
    "Please report it with the lines that name this run."
)

INTERRUPTED = RunFinished(
    "failed",
    code="interrupted",
    message="The run was interrupted: the server that ran it was stopped. Start it again.",
)

Work = Callable[[Run], Awaitable[RunFinished | None]]
"""What a run does. None means completed; a `ForgeError` ends it as failed."""


class Runs:
    """All runs: those under way here, and those that the store remembers."""

    def __init__(self, store: Store, *, coalesce_s: float, max_active: int) -> None:
        self._store = store
        self._journal = Journal(store)
        self._coalesce_s = coalesce_s
        self._max_active = max_active
        self._live: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._elsewhere: dict[str, Elsewhere] = {}
        """Runs of other processes that somebody listens to here."""
        self._heeding: asyncio.Task[None] | None = None
        self._lost: set[str] = set()
        """Runs that ended here without their last word, because their journal has a gap."""
        self._listeners: list[Callable[[Run], None]] = []

    def on_start(self, listener: Callable[[Run], None]) -> None:
        """Have `listener` called with each run that is started here, and those under way now."""
        self._listeners.append(listener)
        for run in self._live.values():
            listener(run)

    async def start(
        self,
        work: Work,
        *,
        kind: str,
        title: str,
        project: str,
        account: str = "owner",
        asked: Asked | None = None,
        is_due: bool = False,
    ) -> Run:
        """Start a run in the background and give it at once; `asked` is told in its first event.

        Raises `TooManyRuns` when as many as are allowed are under way; not for one that `is_due`,
        which carries out what somebody was promised already.
        """
        if len(self._live) >= self._max_active and not is_due:
            raise TooManyRuns(f"{len(self._live)} runs are under way, and no more are allowed.")
        record = RunRecord(
            id=f"run_{secrets.token_hex(10)}",
            kind=kind,
            title=title,
            project=project,
            owner=self._store.owner,
            started_at=now_ms(),
            account=account,
        )
        run = Run(record, self._journal, self._coalesce_s)
        self._live[run.id] = run
        try:
            await self._store.create_run(record)
            await run.append(RunStarted(kind, title, asked))
        except BaseException:
            # Cancelled or failed: a run that never began must not count as one under way.
            del self._live[run.id]
            raise
        task = asyncio.create_task(self._carry_out(run, work), name=f"{kind} {run.id}")
        self._tasks[run.id] = task
        for listener in self._listeners:
            listener(run)
        if self._heeding is None:
            self._heeding = asyncio.create_task(self._heed_wishes(), name="wishes to cancel")
        # A task that is cancelled before its first step never says its last word.
        await asyncio.sleep(0)
        return run

    def live(self, run_id: str) -> Run | None:
        """The run if it is under way in this process."""
        return self._live.get(run_id)

    @property
    def under_way(self) -> int:
        """How many runs are under way in this process."""
        return len(self._live)

    def newest(self, project: str | None = None) -> Run | None:
        """The run that was started last of those under way here."""
        runs = [run for run in self._live.values() if project in (None, run.record.project)]
        return runs[-1] if runs else None

    async def record(self, run_id: str) -> RunRecord:
        """What the store knows of a run; raises `NotFound`."""
        record = await self._store.run(run_id)
        if record is None:
            raise NotFound(f"There is no run {run_id}.")
        return record

    async def readable(self, run_id: str) -> RunRecord:
        """The same of a run whose events can be had; raises `Gone` where they are removed."""
        record = await self.record(run_id)
        if record.journal == "removed":
            raise Gone(REMOVED.format(run_id))
        return record

    async def was_heard_elsewhere(self, run: Run) -> bool:
        """Whether anybody in another process has listened since this was last asked."""
        heard_at = (await self.record(run.id)).heard_at
        # What counts is that it has changed: the other's clock may tell another time.
        was_heard, run.heard_at = heard_at != run.heard_at, heard_at
        return was_heard

    async def recent(self, *, limit: int, project: str | None = None) -> Sequence[RunRecord]:
        """The newest runs first."""
        return await self._store.runs(limit=limit, project=project)

    async def cancel(self, run_id: str) -> None:
        """End a run; every way of cancelling comes here, and cancelling twice is once.

        One in another process is ended by that, within about a second. Raises `NotFound` for an
        unknown run, `Conflict` for one that has ended.
        """
        if run_id in self._tasks:
            self._cut_off(run_id, CANCELLED)
            return
        record = await self.record(run_id)
        if record.ended_at is None and not await self._store.living([record.owner]):
            await self._store.interrupt_orphans()
            record = await self.record(run_id)
        if record.ended_at is not None:
            raise Conflict(f"The run {run_id} has ended already.")
        await self._store.ask_to_cancel(run_id)

    async def subscribe(self, run_id: str, after: int = 0) -> AsyncGenerator[Recorded, None]:
        """Every event after `after`, in order, first those recorded, then live to the last.

        So are those of a run in another process. Raises `NotFound` for an unknown run, `Gone`
        for events that are kept no longer, `StoreFailed` when its journal can't be read or could
        not be written. A slow reader costs no memory: it is only a position.
        """
        async with self._source(run_id) as run:
            while True:
                page = run.after(after)
                if page is None:
                    page = await self._store.events(run_id, after, PAGE)
                for recorded in page:
                    after = recorded.seq
                    if isinstance(recorded.event, RunFinished):
                        # Who has heard the last word may start another run in its place.
                        await run.finished()
                        yield recorded
                        return
                    yield recorded
                if not page:
                    if run.is_finished:
                        return
                    await run.changed()

    async def end_orphans(self) -> None:
        """End the runs whose process has died, and those here that lost their journal."""
        for run_id in await self._store.interrupt_orphans(self._lost):
            self._lost.discard(run_id)
            log.info("run %s was interrupted: nobody went on with it", run_id)

    async def close(self, last: RunFinished = CANCELLED) -> None:
        """End every run with `last` as its last word, wait for it, and commit what is queued.

        What a run has finished by then is kept. One that is being cancelled stays cancelled.
        """
        tasks = list(self._tasks.values())
        for run_id in self._tasks:
            self._cut_off(run_id, last)
        if tasks:
            await asyncio.wait(tasks)
        for elsewhere in self._elsewhere.values():
            elsewhere.leave()
        if self._heeding is not None:
            self._heeding.cancel()
            await asyncio.wait([self._heeding])
        await self._journal.close()

    @asynccontextmanager
    async def _source(self, run_id: str) -> "AsyncGenerator[Run | Elsewhere]":
        run = self._live.get(run_id) or await self._find_elsewhere(run_id)
        run.listeners += 1
        try:
            yield run
        finally:
            run.listeners -= 1
            if run.listeners == 0 and self._elsewhere.get(run_id) is run:
                self._elsewhere.pop(run_id).leave()

    async def _find_elsewhere(self, run_id: str) -> Elsewhere:
        """One for all who listen to it here, as long as it goes on."""
        found = self._elsewhere.get(run_id) or await find_elsewhere(self._store, run_id)
        # Somebody else may have been looking for it at the same time.
        if found.is_open and run_id not in self._elsewhere:
            self._elsewhere[run_id] = found
            found.follow()
        return self._elsewhere[run_id] if found.is_open else found

    async def _heed_wishes(self) -> None:
        """Cancel the runs that other processes asked to, as long as there are any here."""
        try:
            with self._store.watch_cancels() as watch:
                while self._tasks:
                    await watch.changed(WISHES_S)
                    await self._cut_off_unwanted()
        finally:
            self._heeding = None

    async def _cut_off_unwanted(self) -> None:
        try:
            asked = await self._store.cancels_asked()
        except StoreFailed as error:
            log.warning("what others want cancelled is not known: %s", error.message)
            return
        for run_id in asked:
            if run_id in self._tasks:
                self._cut_off(run_id, CANCELLED)

    def _cut_off(self, run_id: str, last: RunFinished) -> None:
        run, task = self._live[run_id], self._tasks[run_id]
        # The first cancel is the only one, and comes too late for a run that is ending: it would
        # interrupt the last words.
        if not task.cancelling() and not run.is_ending:
            run.cut_off = last
            task.cancel()

    async def _carry_out(self, run: Run, work: Work) -> None:
        last = RunFinished("completed")
        try:
            last = await work(run) or last
        except asyncio.CancelledError:
            last = run.cut_off
        except ForgeError as error:
            last = RunFinished("failed", error.code, error.for_people())
        except Exception:
            # A fault of ours must still end the run with a word; the log has the rest.
            log.exception("run %s failed", run.id)
            last = RunFinished("failed", "internal_error", INTERNAL_ERROR)
        await run.finish(last)
        if run.is_broken:
            self._lost.add(run.id)
        del self._live[run.id]
        del self._tasks[run.id]
