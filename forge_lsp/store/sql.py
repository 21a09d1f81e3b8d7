"""The store over SQL: SQLite on one machine, PostgreSQL for teams, by URL.

The database's own calls block, so each piece of work is done whole on a thread: a step for every
statement, as asynchronous drivers take it, costs more than the statement.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import URL, Connection, Engine

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.changes.summaries import ChangeSummary
from forge_lsp.events import Recorded
from forge_lsp.ports.model import Message
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.store import (
    change_sets,
    conversations,
    following,
    journals,
    migrations,
    retention,
)
from forge_lsp.store.account_store import SqlAccounts
from forge_lsp.store.engine import default_url, lock_schema, make_engine, parse_url, prepare
from forge_lsp.store.failures import explained
from forge_lsp.store.follow_store import SqlFollowing
from forge_lsp.store.local import LocalPeers
from forge_lsp.store.project_store import SqlProjects
from forge_lsp.store.retention import Place
from forge_lsp.store.servers import Servers
from forge_lsp.store.watching import CANCELS, Watch, Watches, fragments_of

__all__ = ["SqlStore", "default_url", "open_store"]


class Peers(Protocol):
    """Those who share the database: where they differ between databases."""

    owner: str
    watches: Watches

    def open(self) -> None:
        """Be known to the others; blocks."""
        ...

    def watch(self) -> None:
        """Somebody is about to wait for news."""
        ...

    def living(self, connection: Connection, owners: Collection[str], /) -> set[str]:
        """Those of the owners who still live."""
        ...

    def close(self) -> None:
        """Leave the others; blocks."""
        ...


async def open_store(url: str) -> "SqlStore":
    """Open the database at `url`, bringing its schema up to date first.

    Several processes may do so at once, on a fresh file too: one of them does the work, the
    others wait. Raises `StoreFailed`; nothing is left open then.
    """
    with explained("that FORGE_DATABASE_URL names"):
        parsed = parse_url(url)
    place = _shown(parsed)
    with explained(place):
        engine = await asyncio.to_thread(_prepared, parsed)
    store = SqlStore(engine, place)
    try:
        await store.enter()
    except BaseException:
        await store.close()
        raise
    return store


class SqlStore(SqlAccounts, SqlProjects, SqlFollowing):
    """The port `Store`; made by `open_store`.

    What a method has written when it returns outlives the death of the process by any signal.
    With SQLite a crash of the whole machine can take the last commits, but never tears one
    apart. Writes go one after another, on a thread of their own; reads go beside them and never
    wait for a write. Whoever waits for either may be cancelled; what was asked is then carried
    through all the same.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        super().__init__(engine, place)
        is_local = engine.dialect.name == "sqlite"
        self._peers: Peers = LocalPeers(engine) if is_local else Servers(engine)

    async def enter(self) -> None:
        """Be known to those who share the database; for `open_store` alone."""
        with explained(self._place):
            await asyncio.to_thread(self._peers.open)

    @property
    def owner(self) -> str:
        """This process on SQLite, this server on PostgreSQL."""
        return self._peers.owner

    async def living(self, owners: Collection[str]) -> Collection[str]:
        """Those of the owners who still live."""
        return await self._read(self._peers.living, owners)

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

    async def runs_named(self, run_ids: Sequence[str]) -> Sequence[RunRecord]:
        """Those of the runs that there are, in no order."""
        return await self._read(journals.runs_named, run_ids)

    def watch_run(self, run_id: str) -> AbstractContextManager[Watch]:
        """Hears of events that others append to the run."""
        self._peers.watch()
        return self._peers.watches.open(run_id)

    async def note_listener(self, run_id: str) -> None:
        """Let the owner of an open run know that somebody listens to it here."""
        await self._write(journals.note_listener, run_id)

    async def ask_to_cancel(self, run_id: str) -> None:
        """Ask the owner of an open run to cancel it."""
        await self._write(journals.ask_to_cancel, run_id)

    async def cancels_asked(self) -> Sequence[str]:
        """The open runs of this owner that somebody asked to cancel."""
        return await self._read(journals.cancels_asked, self.owner)

    def watch_cancels(self) -> AbstractContextManager[Watch]:
        """Hears that this owner was asked to cancel a run."""
        self._peers.watch()
        return self._peers.watches.open(CANCELS)

    def watch_fragments(self, project: str) -> AbstractContextManager[Watch]:
        """Hears that one of the project's fragments has become another."""
        self._peers.watch()
        return self._peers.watches.open(fragments_of(project))

    async def interrupt_orphans(self, lost: Collection[str] = ()) -> Sequence[str]:
        """End each open run whose owner is dead or that is `lost`; gives their ids."""
        open_runs = await self._read(journals.open_runs)
        living = await self.living({run.owner for run in open_runs}) if open_runs else ()
        orphans = [run for run in open_runs if run.owner not in living or run.id in lost]
        return [run.id for run in orphans if await self._write(journals.interrupt, run)]

    async def tidy(self, *, keep_days: float, keep_mb: float, compact_after_h: float) -> None:
        """Make the journals of ended runs smaller, one short transaction after another."""
        for run_id in await self._read(retention.outdated, keep_days, keep_mb):
            while await self._write(retention.remove_some, run_id):
                pass
        for run_id in await self._read(retention.loose, compact_after_h):
            place: Place | None = Place()
            while place is not None:
                place = await self._write(retention.join_some, run_id, place)

    async def save_change_set(self, change_set: ChangeSet) -> None:
        """Write it in place of what was kept under its id."""
        await self._write(change_sets.save, [change_set])

    async def save_change_sets(
        self, sets: Sequence[ChangeSet], expected: ChangeSet | None = None
    ) -> bool:
        """The same of several, all of them or none."""
        return not sets or await self._write(change_sets.save_expected, sets, expected)

    async def change_set(self, change_set_id: str) -> ChangeSet | None:
        """The change set of this id."""
        return await self._read(change_sets.one, change_set_id)

    async def change_sets(self, project: str, *, limit: int) -> Sequence[ChangeSet]:
        """The project's newest change sets first."""
        return await self._read(change_sets.newest, project, limit)

    async def accepted_change_sets(
        self, project: str, *, after: int = -1, limit: int | None = None
    ) -> Sequence[ChangeSet]:
        """Those that have an accept after that time, the latest first."""
        return await self._read(change_sets.accepted, project, after, limit)

    async def change_summaries(
        self, project: str, *, limit: int, before: str | None = None
    ) -> Sequence[ChangeSummary]:
        """The project's newest change sets first, without contents."""
        return await self._read(change_sets.summaries, project, limit, before)

    async def add_messages(self, conversation: str, messages: Sequence[Message]) -> None:
        """Put `messages` at the end of the conversation, all of them or none."""
        if messages:
            await self._write(conversations.add, conversation, messages)

    async def messages(self, conversation: str, *, limit: int) -> Sequence[Message]:
        """The last `limit` messages, the oldest of them first."""
        return await self._read(conversations.last, conversation, limit)

    async def model_tokens(self, account: str, since: int) -> int:
        """What the account's runs that were started since then took, in and out."""
        return await self._read(journals.model_tokens, account, since)

    async def owners_of_open_runs(self, account: str) -> Sequence[str]:
        """The process that runs it, for each of the account's runs that haven't ended."""
        return await self._read(journals.owners_of_open_runs, account)

    async def own_sandbox(self, sandbox_id: str) -> None:
        """This store's owner has the sandbox."""
        await self._write(following.own_sandbox, sandbox_id, self.owner)

    async def close(self) -> None:
        """Finish what is under way, then close every connection; what comes later is refused."""
        self._threads.refuse()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._threads.end()
        self._peers.close()
        with explained(self._place):
            self._engine.dispose()


def _prepared(url: URL) -> Engine:
    engine = make_engine(url)
    try:
        prepare(engine)
        _upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _upgrade(engine: Engine) -> None:
    newest = migrations.newest()
    with engine.connect() as connection:
        if migrations.current(connection) == newest:
            return
    with engine.begin() as connection:
        lock_schema(connection)
        migrations.upgrade(connection, newest)


def _shown(url: URL) -> str:
    """How people know the database; the URL itself may hold a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database} on {url.host or 'this machine'}"
