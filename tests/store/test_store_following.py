"""Runs of one store, followed and cancelled through another."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import msgspec
import pytest

from forge_lsp import elsewhere
from forge_lsp.errors import Conflict, NotFound, StoreFailed
from forge_lsp.events import Event, Recorded, RunFinished, RunStarted, Stage, TextDelta, Usage
from forge_lsp.http.attendance import Attendance
from forge_lsp.ports.store import JournalEntry, RunRecord, Store
from forge_lsp.runs import CANCELLED, PAGE, Run, Runs
from forge_lsp.store.sql import SqlStore, open_store

WAIT_S = 20

OpenStore = Callable[[], Awaitable[Store]]
MakeRun = Callable[..., RunRecord]
MakeEntries = Callable[..., list[JournalEntry]]


@pytest.fixture
async def owner(open_another: OpenStore) -> AsyncIterator[Runs]:
    """Where runs are begun."""
    runs = Runs(await open_another(), coalesce_s=0.0, max_active=8)
    yield runs
    await runs.close()


@pytest.fixture
async def peer(open_another: OpenStore) -> Runs:
    """Who follows them."""
    return Runs(await open_another(), coalesce_s=0.0, max_active=8)


class Told:
    """Work that says what it is told to, until nothing comes any more."""

    def __init__(self) -> None:
        self._to_say: asyncio.Queue[Event | None] = asyncio.Queue()

    def say(self, *said: Event) -> None:
        for event in said:
            self._to_say.put_nowait(event)

    def end(self) -> None:
        self._to_say.put_nowait(None)

    async def __call__(self, run: Run) -> None:
        while (event := await self._to_say.get()) is not None:
            await run.append(event)


async def start(runs: Runs, work: Told) -> Run:
    return await runs.start(work, kind="generate", title="A page", project="file:///app")


async def read(runs: Runs, run_id: str, after: int = 0) -> list[Recorded]:
    async with asyncio.timeout(WAIT_S):
        return [recorded async for recorded in runs.subscribe(run_id, after)]


async def test_each_event_is_heard_soon_after_it_was_said(owner: Runs, peer: Runs) -> None:
    work = Told()
    run = await start(owner, work)
    loop = asyncio.get_running_loop()
    slowest_s = 0.0
    async with asyncio.timeout(WAIT_S), aclosing(peer.subscribe(run.id)) as heard:
        assert (await anext(heard)).event == RunStarted("generate", "A page")
        for number in range(10):
            said_at = loop.time()
            work.say(Stage(f"{number}"))
            assert (await anext(heard)).event == Stage(f"{number}")
            slowest_s = max(slowest_s, loop.time() - said_at)
        work.end()
        assert isinstance((await anext(heard)).event, RunFinished)
        assert [each async for each in heard] == []
    # Well below the time after which a follower looks by itself.
    assert slowest_s < elsewhere.LOOK_S


async def test_whoever_follows_gets_the_same_from_any_point(owner: Runs, peer: Runs) -> None:
    work = Told()
    run = await start(owner, work)
    count = PAGE + 20
    readers = [asyncio.create_task(read(peer, run.id, after)) for after in (0, 1, 7, count)]
    for index in range(count):
        work.say(TextDelta("x", index))
        if index % 100 == 0:
            readers.append(asyncio.create_task(read(peer, run.id, index)))
    work.end()
    live = await read(owner, run.id)
    assert [each.seq for each in live] == list(range(1, count + 3))
    for reader, after in zip(readers, [0, 1, 7, count, *range(0, count, 100)], strict=True):
        assert await reader == live[after:]
    assert await read(peer, run.id, 5) == live[5:]


async def test_a_follower_from_beyond_the_end_is_let_go(owner: Runs, peer: Runs) -> None:
    work = Told()
    run = await start(owner, work)
    reading = asyncio.create_task(read(peer, run.id, 1_000))
    work.say(Stage("one"))
    work.end()
    assert await reading == []


async def test_an_unknown_run_can_be_neither_followed_nor_cancelled(peer: Runs) -> None:
    with pytest.raises(NotFound):
        await read(peer, "run_nowhere")
    with pytest.raises(NotFound):
        await peer.cancel("run_nowhere")


async def test_a_run_is_cancelled_by_its_owner_at_anothers_wish(owner: Runs, peer: Runs) -> None:
    runs = [await start(owner, Told()) for _ in range(3)]
    asked_at = asyncio.get_running_loop().time()
    await peer.cancel(runs[1].id)
    # On a slow machine it has ended by now.
    with suppress(Conflict):
        await peer.cancel(runs[1].id)
    last = (await read(peer, runs[1].id))[-1].event
    assert asyncio.get_running_loop().time() - asked_at < 3
    assert isinstance(last, RunFinished)
    assert msgspec.structs.replace(last, duration_ms=0) == CANCELLED
    assert [owner.live(run.id) is not None for run in (runs[0], runs[2])] == [True, True]
    await runs[1].finished()
    with pytest.raises(Conflict, match="ended already"):
        await peer.cancel(runs[1].id)
    record = await peer.record(runs[1].id)
    assert record.cancel_asked_at is not None


async def test_a_wish_for_a_run_that_was_begun_later_is_heard_too(owner: Runs, peer: Runs) -> None:
    for _ in range(3):
        run = await start(owner, Told())
        await peer.cancel(run.id)
        assert isinstance((await read(peer, run.id))[-1].event, RunFinished)


async def test_who_follows_a_run_whose_owner_is_dead_is_told(
    peer: Runs, store: Store, a_run: MakeRun, entries: MakeEntries
) -> None:
    await store.create_run(a_run(owner="999999999:1"))
    await store.append(entries(RunStarted("generate", ""), Usage("m", 10, 5)))
    first, second, last = await read(peer, "run_1")
    assert (first.seq, second.seq, last.seq) == (1, 2, 3)
    assert isinstance(last.event, RunFinished)
    assert (last.event.code, last.event.tokens_used) == ("interrupted", 15)
    assert last.event.duration_ms > 0


async def test_a_run_whose_owner_is_dead_has_ended_for_who_cancels_it(
    peer: Runs, store: Store, a_run: MakeRun
) -> None:
    await store.create_run(a_run(owner="999999999:1"))
    with pytest.raises(Conflict, match="ended already"):
        await peer.cancel("run_1")
    assert (await peer.record("run_1")).outcome == "failed"


async def test_of_two_who_go_on_with_one_run_one_is_refused(
    open_another: OpenStore, a_run: MakeRun, entries: MakeEntries
) -> None:
    stores = [await open_another() for _ in range(4)]
    await stores[0].create_run(a_run())
    for seq in range(1, 26):
        said = [entries(Usage(f"{n}", 1, 0), first=seq) for n in range(4)]
        tried = await asyncio.gather(
            *(each.append(said[n]) for n, each in enumerate(stores)), return_exceptions=True
        )
        assert [type(each) for each in tried if each is not None] == [StoreFailed] * 3
        (kept,) = await stores[0].events("run_1", seq - 1, 9)
        assert kept == said[tried.index(None)][0].recorded
    record = await stores[0].run("run_1")
    assert record
    assert (record.last_seq, record.input_tokens) == (25, 25)


async def test_a_run_that_peers_took_for_dead_can_not_go_on(
    owner: Runs, peer: Runs, execute: Callable[[str], Awaitable[list[Any]]]
) -> None:
    work = Told()
    run = await start(owner, work)
    await execute("UPDATE runs SET owner = '999999999:1'")
    assert isinstance((await read(peer, run.id))[-1].event, RunFinished)
    work.say(Stage("still here"))
    with pytest.raises(StoreFailed):
        await read(owner, run.id)
    told = [each.event for each in await read(peer, run.id)]
    assert [type(each) for each in told] == [RunStarted, RunFinished]


async def test_a_run_that_is_listened_to_elsewhere_alone_is_not_cancelled_for_that(
    owner: Runs, peer: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "LOOK_S", 0.05)
    monkeypatch.setattr(elsewhere, "NOTE_EVERY_S", 0.1)
    run = await start(owner, Told())
    reading = asyncio.create_task(read(peer, run.id))
    attendance = Attendance()
    attendance.watch(owner, run, grace_s=1.0)
    await asyncio.wait([reading], timeout=2.5)
    assert not reading.done()
    reading.cancel()
    await asyncio.wait([reading])
    async with asyncio.timeout(WAIT_S):
        await run.finished()
    last = (await read(peer, run.id))[-1].event
    assert isinstance(last, RunFinished)
    assert last.outcome == "cancelled"
    await attendance.close()


class CountingStore(SqlStore):
    """Counts how often events are asked for."""

    asked = 0

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
        self.asked += 1
        return await super().events(run_id, after, limit)


async def test_a_crowd_that_follows_a_run_reads_its_events_once(
    owner: Runs, open_another: OpenStore
) -> None:
    plain = await open_another()
    assert isinstance(plain, SqlStore)
    store = CountingStore(plain._engine, plain._place)
    await store.enter()
    peer = Runs(store, coalesce_s=0.0, max_active=1)
    work, count, crowd = Told(), 40, 60
    run = await start(owner, work)
    readers = [asyncio.create_task(read(peer, run.id)) for _ in range(crowd)]
    for number in range(count):
        work.say(Stage(f"{number}"))
        await asyncio.sleep(0.01)
    work.end()
    told = await asyncio.gather(*readers)
    assert [each.seq for each in told[0]] == list(range(1, count + 3))
    assert all(each == told[0] for each in told)
    # Each reads once what was there when it came; what follows is read for all.
    assert store.asked <= crowd + 2 * count
    await peer.close()
    await store.close()


async def test_a_watch_hears_of_its_own_run_alone(
    open_another: OpenStore, a_run: MakeRun, entries: MakeEntries
) -> None:
    one, other = await open_another(), await open_another()
    for run_id in ("run_1", "run_2"):
        await one.create_run(a_run(run_id, owner=one.owner))
    loop = asyncio.get_running_loop()
    with other.watch_run("run_1") as watch, other.watch_cancels() as cancels:
        for each in (watch, cancels):
            # It is told once that there may be news from before.
            await each.changed(0.3)
            await each.changed(0.3)
        began = loop.time()
        await one.append(entries(Stage("1"), run_id="run_2"))
        await asyncio.gather(watch.changed(0.5), cancels.changed(0.5))
        assert loop.time() - began >= 0.5
        began = loop.time()
        await one.append(entries(Stage("1")))
        await watch.changed(WAIT_S)
        await one.ask_to_cancel("run_2")
        await cancels.changed(WAIT_S)
        assert loop.time() - began < WAIT_S / 2
        assert await one.cancels_asked() == ["run_2"]


async def test_a_closed_store_leaves_no_thread(database_url: str) -> None:
    threads = set(threading.enumerate())
    store = await open_store(database_url)
    with store.watch_cancels() as watch:
        await watch.changed(0.1)
    assert {each.name for each in set(threading.enumerate()) - threads if "database" in each.name}
    await store.close()
    assert not [each for each in set(threading.enumerate()) - threads if "database" in each.name]
