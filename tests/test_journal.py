import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gated_store import GatedStore, open_gated_store

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded, Stage
from forge_lsp.journal import MAX_GROUP, Journal
from forge_lsp.ports.store import RunRecord

WAIT_S = 10


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[GatedStore]:
    store = await open_gated_store(tmp_path)
    for run_id in ("run_a", "run_b"):
        await store.create_run(RunRecord(run_id, "generate", "A page", "file:///app", "me", 1))
    yield store
    await store.close()


@pytest.fixture
async def journal(store: GatedStore) -> AsyncIterator[Journal]:
    journal = Journal(store)
    yield journal
    store.gate.set()
    await journal.close()


class Shown:
    """What was published, in order."""

    def __init__(self, journal: Journal) -> None:
        self.seqs: list[int] = []
        self._journal = journal

    def put(self, seq: int, run_id: str = "run_a") -> None:
        self._journal.put(run_id, Recorded(seq, 1, Stage(f"{seq}")), self._publish)

    async def append(self, seq: int, run_id: str = "run_a") -> None:
        self.put(seq, run_id)
        await self.settle(run_id)

    async def settle(self, run_id: str = "run_a") -> None:
        async with asyncio.timeout(WAIT_S):
            await self._journal.settle(run_id)

    def _publish(self, recorded: Recorded) -> None:
        self.seqs.append(recorded.seq)


async def steps(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until_committing(store: GatedStore, count: int = 1) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if len(store.groups) >= count:
                return
            await asyncio.sleep(0.001)


async def stored(store: GatedStore, run_id: str = "run_a") -> list[int]:
    return [each.seq for each in await store.events(run_id, 0, 10_000)]


async def test_nobody_sees_an_event_before_it_is_committed(
    journal: Journal, store: GatedStore
) -> None:
    store.gate.clear()
    shown = Shown(journal)
    appending = asyncio.create_task(shown.append(1))
    await until_committing(store)
    await steps()
    assert (shown.seqs, appending.done(), await stored(store)) == ([], False, [])
    store.gate.set()
    await appending
    assert (shown.seqs, await stored(store)) == ([1], [1])


async def test_what_comes_during_a_commit_goes_together_in_the_next(
    journal: Journal, store: GatedStore
) -> None:
    store.gate.clear()
    shown = Shown(journal)
    shown.put(1)
    await until_committing(store)
    for seq in range(2, 42):
        shown.put(seq)
    assert journal.backlog == 40
    store.gate.set()
    await shown.settle()
    assert store.groups == [1, 40]
    assert shown.seqs == await stored(store) == list(range(1, 42))
    assert journal.backlog == 0


async def test_a_flood_is_committed_in_groups_of_bounded_size(
    journal: Journal, store: GatedStore
) -> None:
    shown = Shown(journal)
    count = 2 * MAX_GROUP + 7
    for seq in range(1, count + 1):
        shown.put(seq)
    await shown.settle()
    assert store.groups == [MAX_GROUP, MAX_GROUP, 7]
    assert shown.seqs == list(range(1, count + 1))


async def test_an_event_that_was_not_committed_is_not_shown(
    journal: Journal, store: GatedStore
) -> None:
    store.broken = StoreFailed("The disk is full.")
    shown = Shown(journal)
    with pytest.raises(StoreFailed, match="The disk is full"):
        await shown.append(1)
    assert shown.seqs == []


async def test_a_fault_of_the_store_is_told_as_a_failure_of_the_store(
    journal: Journal, store: GatedStore
) -> None:
    store.broken = RuntimeError("a bug")
    shown = Shown(journal)
    with pytest.raises(StoreFailed):
        await shown.append(1)
    store.broken = None
    await shown.append(1, "run_b")
    assert await stored(store, "run_b") == [1]


async def test_a_run_that_lost_an_event_takes_no_other_run_with_it(
    journal: Journal, store: GatedStore
) -> None:
    shown = Shown(journal)
    store.broken = StoreFailed("The disk is full.")
    with pytest.raises(StoreFailed):
        await shown.append(1, "run_a")
    store.broken = None
    shown.put(2, "run_a")
    shown.put(1, "run_b")
    await shown.settle("run_b")
    with pytest.raises(StoreFailed, match="The disk is full"):
        await shown.settle("run_a")
    assert shown.seqs == [1]
    assert (await stored(store, "run_a"), await stored(store, "run_b")) == ([], [1])


async def test_closing_waits_for_the_commit_that_is_under_way(
    journal: Journal, store: GatedStore
) -> None:
    store.gate.clear()
    shown = Shown(journal)
    shown.put(1)
    await until_committing(store)
    closing = asyncio.create_task(journal.close())
    await steps()
    assert not closing.done()
    store.gate.set()
    async with asyncio.timeout(WAIT_S):
        await closing
    assert shown.seqs == await stored(store) == [1]


async def test_closing_commits_what_is_queued(journal: Journal, store: GatedStore) -> None:
    shown = Shown(journal)
    for seq in range(1, 2 * MAX_GROUP):
        shown.put(seq)
    async with asyncio.timeout(WAIT_S):
        await journal.close()
    assert shown.seqs == list(range(1, 2 * MAX_GROUP))


async def test_closing_ends_though_nothing_can_be_committed(
    journal: Journal, store: GatedStore
) -> None:
    store.broken = StoreFailed("The disk is full.")
    shown = Shown(journal)
    for seq in range(1, 4):
        shown.put(seq)
    async with asyncio.timeout(WAIT_S):
        await journal.close()
    with pytest.raises(StoreFailed):
        await shown.settle()
    assert shown.seqs == []


async def test_one_who_stops_waiting_takes_nobody_with_him(
    journal: Journal, store: GatedStore
) -> None:
    store.gate.clear()
    shown = Shown(journal)
    stopping = asyncio.create_task(shown.append(1))
    waiting = asyncio.create_task(shown.settle())
    await until_committing(store)
    stopping.cancel()
    await asyncio.wait([stopping])
    store.gate.set()
    await waiting
    assert shown.seqs == await stored(store) == [1]


async def test_a_journal_that_nothing_was_put_into_closes(journal: Journal) -> None:
    async with asyncio.timeout(WAIT_S):
        await journal.close()
