"""The store over SQL: SQLite on one machine, PostgreSQL for teams, by URL."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.events import Recorded
from forge_lsp.ports import JournalEntry, Message, RunRecord
from forge_lsp.store import change_sets, conversations, journals, migrations
from forge_lsp.store.engine import default_url, lock_schema, make_engine, parse_url, prepare
from forge_lsp.store.failures import explained

__all__ = ["SqlStore", "default_url", "open_store"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


async def open_store(url: str) -> "SqlStore":
    """Open the database at `url`, bringing its schema up to date first.

    Several processes may do so at once, on a fresh file too: one of them does the work, the
    others wait. Raises `StoreFailed`; nothing is left open then.
    """
    with explained("that FORGE_DATABASE_URL names"):
        parsed = parse_url(url)
    place = _shown(parsed)
    with explained(place):
        engine = make_engine(parsed)
        try:
            await prepare(engine)
            await _upgrade(engine)
            return SqlStore(engine, await engine.connect(), place)
        except BaseException:
            await engine.dispose()
            raise


class SqlStore:
    """The port `Store`; made by `open_store`.

    What a method has written when it returns outlives the death of the process by any signal.
    With SQLite a crash of the whole machine can take the last commits, but never tears one
    apart. Writes go one after another through one connection that stays open; reads go beside
    them, each through its own, and never wait for a write. Whoever waits for either may be
    cancelled; what was asked is then carried through all the same.
    """

    def __init__(self, engine: AsyncEngine, writer: AsyncConnection, place: str) -> None:
        self._engine = engine
        self._writer = writer
        self._place = place
        self._write_turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    async def create_run(self, run: RunRecord) -> None:
        """Write the record of a new run."""
        await self._write(journals.create_run, run)

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Commit all of `entries`, or none where one doesn't go on right after its run's last."""
        if entries:
            await self._write(journals.append, entries)

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` events of the run with `seq > after`, in order."""
        return await self._read(journals.events_after, run_id, after, limit)

    async def run(self, run_id: str) -> RunRecord | None:
        """The record of one run."""
        return await self._read(journals.one_run, run_id)

    async def runs(self, *, limit: int, project: str | None = None) -> Sequence[RunRecord]:
        """The newest runs first, of one project or of all."""
        return await self._read(journals.newest_runs, limit, project)

    async def interrupt_orphans(self, is_alive: Callable[[str], bool]) -> Sequence[str]:
        """End each open run whose owner `is_alive` denies; gives their ids."""
        open_runs = await self._read(journals.open_runs)
        orphans = [run for run in open_runs if not is_alive(run.owner)]
        return await self._write(journals.interrupt, orphans) if orphans else []

    async def save_change_set(self, change_set: ChangeSet) -> None:
        """Write it in place of what was kept under its id."""
        await self._write(change_sets.save, change_set)

    async def change_set(self, change_set_id: str) -> ChangeSet | None:
        """The change set of this id."""
        return await self._read(change_sets.one, change_set_id)

    async def change_sets(self, project: str, *, limit: int) -> Sequence[ChangeSet]:
        """The project's newest change sets first."""
        return await self._read(change_sets.newest, project, limit)

    async def add_messages(self, conversation: str, messages: Sequence[Message]) -> None:
        """Put `messages` at the end of the conversation, all of them or none."""
        if messages:
            await self._write(conversations.add, conversation, messages)

    async def messages(self, conversation: str, *, limit: int) -> Sequence[Message]:
        """The last `limit` messages, the oldest of them first."""
        return await self._read(conversations.last, conversation, limit)

    async def close(self) -> None:
        """Finish what is under way, then close every connection."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        with explained(self._place):
            await self._writer.close()
            await self._engine.dispose()

    async def _write(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async def in_turn() -> T:
            with explained(self._place):
                async with self._write_turn, self._writer.begin():
                    return await work(self._writer, *args, **kwargs)

        return await self._carry_through(in_turn())

    async def _read(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async def beside() -> T:
            with explained(self._place):
                async with self._engine.connect() as connection:
                    return await work(connection, *args, **kwargs)

        return await self._carry_through(beside())

    async def _carry_through(self, work: Coroutine[Any, Any, T]) -> T:
        # A connection whose user is cancelled is thrown away in the middle of its transaction,
        # and SQLite keeps its lock until the garbage collector has found it.
        task = asyncio.create_task(work, name="database access")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.warning("what nobody waits for any more could not be done: %s", error)


async def _upgrade(engine: AsyncEngine) -> None:
    newest = migrations.newest()
    async with engine.connect() as connection:
        if await connection.run_sync(migrations.current) == newest:
            return
    async with engine.begin() as connection:
        await lock_schema(connection)
        await connection.run_sync(migrations.upgrade, newest)


def _shown(url: URL) -> str:
    """How people know the database; the URL itself may hold a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database} on {url.host}"
