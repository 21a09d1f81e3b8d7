import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from gated_store import GatedStore, open_gated_store
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from forge_lsp import run as run_module
from forge_lsp import tail as tail_module
from forge_lsp.app import open_engine
from forge_lsp.errors import Conflict, ForgeError, ModelBusy, NotFound, StoreFailed, TooManyRuns
from forge_lsp.events import (
    Event,
    FileDelta,
    FileDropped,
    FileFinished,
    FileStarted,
    Recorded,
    RunFinished,
    RunStarted,
    Stage,
    TextDelta,
    Usage,
)
from forge_lsp.ports.store import RunRecord
from forge_lsp.processes import this_process
from forge_lsp.runs import CANCELLED, INTERRUPTED, PAGE, Run, Runs, Work
from forge_lsp.settings import Places, Settings
from forge_lsp.store.sql import default_url, open_store
from forge_lsp.tail import WOKEN_AT_ONCE

WAIT_S = 10


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[GatedStore]:
    store = await open_gated_store(tmp_path)
    yield store
    await store.close()


@pytest.fixture
async def runs(store: GatedStore) -> AsyncIterator[Runs]:
    runs = Runs(store, coalesce_s=0.0, max_active=4)
    yield runs
    store.gate.set()
    async with asyncio.timeout(WAIT_S):
        await runs.close()


async def start(runs: Runs, work: Work) -> Run:
    return await runs.start(work, kind="generate", title="A page", project="file:///app")


async def read(runs: Runs, run_id: str, after: int = 0) -> list[Recorded]:
    async with asyncio.timeout(WAIT_S):
        return [recorded async for recorded in runs.subscribe(run_id, after)]


async def said(runs: Runs, run_id: str) -> list[Event]:
    return told(await read(runs, run_id))


def told(recorded: Iterable[Recorded]) -> list[Event]:
    """The events, the last word without what the run took."""
    return [
        msgspec.structs.replace(each.event, tokens_used=0, duration_ms=0)
        if isinstance(each.event, RunFinished)
        else each.event
        for each in recorded
    ]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


async def steps(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def saying(*events: Event) -> Work:
    async def work(run: Run) -> None:
        for event in events:
            await run.append(event)

    return work


class Waiting:
    """Work that says it has begun and then waits to be let on or cancelled."""

    def __init__(self, *first: Event) -> None:
        self.first = first
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, run: Run) -> RunFinished | None:
        for event in self.first:
            await run.append(event)
        self.begun.set()
        await self.go_on.wait()
        await run.append(Stage("gone on"))
        return None


async def test_a_run_is_told_from_its_start_to_its_end(runs: Runs, store: GatedStore) -> None:
    run = await start(runs, saying(Stage("one"), Stage("two")))
    expected = [RunStarted("generate", "A page"), Stage("one"), Stage("two")]
    recorded = await read(runs, run.id)
    assert told(recorded) == [*expected, RunFinished("completed")]
    assert [each.seq for each in recorded] == [1, 2, 3, 4]
    await run.finished()
    record = await runs.record(run.id)
    assert (record.outcome, record.last_seq, record.owner) == ("completed", 4, this_process())
    assert list(await store.events(run.id, 0, 10)) == recorded


async def test_a_run_may_end_as_it_says_itself(runs: Runs) -> None:
    last = RunFinished("truncated", "truncated", "It was cut off.")

    async def work(_: Run) -> RunFinished:
        return last

    run = await start(runs, work)
    assert (await said(runs, run.id))[-1] == last


async def test_the_last_word_tells_what_the_run_took(runs: Runs) -> None:
    waiting = Waiting(Usage("m", 10, 3), Usage("n", 200, 40, cache_read_tokens=7))
    run = await start(runs, waiting)
    await waiting.begun.wait()
    took = 5
    await until(lambda: time.time() * 1000 > run.record.started_at + took)
    await runs.cancel(run.id)
    last = (await read(runs, run.id))[-1]
    assert isinstance(last.event, RunFinished)
    assert (last.event.outcome, last.event.tokens_used) == ("cancelled", 253)
    assert took <= last.event.duration_ms <= last.at - run.record.started_at


async def test_an_event_is_shown_only_once_it_is_committed(runs: Runs, store: GatedStore) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    seen: list[Event] = []

    async def watch() -> None:
        async with aclosing(runs.subscribe(run.id)) as events:
            async for recorded in events:
                seen.extend(told([recorded]))

    watching = asyncio.create_task(watch())
    await until(lambda: len(seen) == 1)
    store.gate.clear()
    waiting.go_on.set()
    groups = len(store.groups)
    await until(lambda: len(store.groups) > groups)
    await steps()
    assert seen == [RunStarted("generate", "A page")]
    assert len(await store.events(run.id, 0, 10)) == 1
    store.gate.set()
    async with asyncio.timeout(WAIT_S):
        await watching
    assert seen[1:] == [Stage("gone on"), RunFinished("completed")]


@given(
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    after=st.integers(0, 20),
    subscribe_at=st.integers(0, 12),
    coalesce_s=st.sampled_from([0.0, 0.001]),
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_subscriber_gets_the_same_from_any_point_at_any_time(
    pauses: list[int], after: int, subscribe_at: int, coalesce_s: float
) -> None:
    async def scenario() -> None:
        with TemporaryDirectory() as folder:
            store = await open_gated_store(Path(folder))
            runs = Runs(store, coalesce_s=coalesce_s, max_active=1)
            readers: list[asyncio.Task[list[Recorded]]] = []

            async def work(run: Run) -> None:
                for number, pause in enumerate(pauses):
                    if number == subscribe_at:
                        readers.append(asyncio.create_task(read(runs, run.id, after)))
                    await run.stream_text(f"{number};")
                    await run.stream_file("a.ts", "x")
                    await steps(pause)
                    if number % 3 == 0:
                        await run.append(Stage(f"{number}"))

            run = await start(runs, work)
            live = await read(runs, run.id)
            await run.finished()
            readers.append(asyncio.create_task(read(runs, run.id, after)))
            for reader in readers:
                assert await reader == [each for each in live if each.seq > after]
            assert [each.seq for each in live] == list(range(1, len(live) + 1))
            assert list(await store.events(run.id, 0, 1000)) == live
            text = [each.event for each in live if isinstance(each.event, TextDelta)]
            assert [each.index for each in text] == list(range(len(text)))
            assert "".join(each.text for each in text) == "".join(
                f"{number};" for number in range(len(pauses))
            )
            bodies = [each.event.text for each in live if isinstance(each.event, FileDelta)]
            assert "".join(bodies) == "x" * len(pauses)
            await runs.close()
            await store.close()

    asyncio.run(scenario())


async def test_a_subscriber_from_beyond_the_end_is_let_go_when_the_run_ends(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    reading = asyncio.create_task(read(runs, run.id, after=1_000))
    await until(lambda: run.listeners == 1)
    waiting.go_on.set()
    assert await reading == []


async def test_a_subscriber_to_an_unknown_run_is_told_so(runs: Runs) -> None:
    with pytest.raises(NotFound, match="run_nowhere"):
        await read(runs, "run_nowhere")


async def test_a_slow_subscriber_is_bounded_and_misses_nothing(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_TAIL", 50)
    many = 3 * PAGE

    async def work(run: Run) -> None:
        for number in range(many):
            run.tell(Stage(f"{number}"))
        await run.append(Stage("said"))
        await waiting(run)

    waiting = Waiting()
    run = await start(runs, work)
    async with asyncio.timeout(WAIT_S), aclosing(runs.subscribe(run.id)) as slow:
        first = await anext(slow)
        await waiting.begun.wait()
        assert run.after(0) is None, "memory reaches back to the start"
        assert len(run._tail) <= 100
        waiting.go_on.set()
        rest = [each async for each in slow]
    seqs = [first.seq, *(each.seq for each in rest)]
    assert seqs == list(range(1, many + 5))
    assert run.listeners == 0


async def test_a_page_is_bounded_though_memory_holds_more(runs: Runs) -> None:
    waiting = Waiting(*(Stage(f"{number}") for number in range(5)))

    async def work(run: Run) -> None:
        for _ in range(2 * PAGE):
            run.tell(Stage("more"))
        await waiting(run)

    run = await start(runs, work)
    await waiting.begun.wait()
    page = run.after(0)
    assert page is not None
    assert len(page) == PAGE
    waiting.go_on.set()
    assert len(await read(runs, run.id)) == 2 * PAGE + 8


async def test_listeners_are_counted_while_they_listen(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    async with aclosing(runs.subscribe(run.id)) as one, aclosing(runs.subscribe(run.id)) as two:
        await anext(one)
        await anext(two)
        assert run.listeners == 2
    assert run.listeners == 0
    waiting.go_on.set()


async def test_more_subscribers_than_are_woken_at_once_all_hear_all(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    many = 3 * WOKEN_AT_ONCE + 1
    readers = [asyncio.create_task(read(runs, run.id)) for _ in range(many)]
    await until(lambda: run._tail.waiting == many)
    waiting.go_on.set()
    found = await asyncio.gather(*readers)
    assert told(found[0])[1:] == [Stage("gone on"), RunFinished("completed")]
    assert all(each == found[0] for each in found)


async def test_the_loop_has_other_turns_while_many_are_woken(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    heard: list[int] = []

    async def listen() -> None:
        async with aclosing(runs.subscribe(run.id, after=1)) as events:
            heard.append((await anext(events)).seq)

    readers = [asyncio.create_task(listen()) for _ in range(3 * WOKEN_AT_ONCE)]
    await until(lambda: run._tail.waiting == len(readers))
    waiting.go_on.set()
    seen: set[int] = set()
    async with asyncio.timeout(WAIT_S):
        while len(heard) < len(readers):
            await asyncio.sleep(0)
            seen.add(len(heard))
    await asyncio.gather(*readers)
    assert {WOKEN_AT_ONCE, 2 * WOKEN_AT_ONCE} <= seen


async def test_who_leaves_while_nothing_is_said_is_forgotten(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    readers = [asyncio.create_task(read(runs, run.id)) for _ in range(50)]
    await until(lambda: run._tail.waiting == 50)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    assert (run._tail.waiting, run.listeners) == (0, 0)
    waiting.go_on.set()
    assert (await said(runs, run.id))[-1] == RunFinished("completed")


# Coalescing


async def test_text_that_comes_close_together_is_one_event(store: GatedStore) -> None:
    runs = Runs(store, coalesce_s=0.05, max_active=1)

    async def work(run: Run) -> None:
        for piece in ("a", "b", "c"):
            await run.stream_text(piece)
        await run.append(Stage("between"))
        await run.stream_text("d")
        await run.stream_text("e")

    run = await start(runs, work)
    assert (await said(runs, run.id))[1:] == [
        TextDelta("abc", 0),
        Stage("between"),
        TextDelta("de", 1),
        RunFinished("completed"),
    ]
    await runs.close()


async def test_text_and_files_are_coalesced_each_for_itself(store: GatedStore) -> None:
    runs = Runs(store, coalesce_s=0.05, max_active=1)

    async def work(run: Run) -> None:
        await run.append(FileStarted("a.ts", "create"))
        for piece in ("1", "2", "3"):
            await run.stream_text(piece)
            await run.stream_file("a.ts", piece * 2)
        await run.append(FileFinished("a.ts", "112233"))

    run = await start(runs, work)
    assert (await said(runs, run.id))[2:-1] == [
        TextDelta("123", 0),
        FileDelta("a.ts", "112233"),
        FileFinished("a.ts", "112233"),
    ]
    await runs.close()


async def test_held_text_is_shown_soon_though_nothing_follows(store: GatedStore) -> None:
    runs = Runs(store, coalesce_s=0.01, max_active=1)
    waiting = Waiting()

    async def work(run: Run) -> None:
        await run.stream_text("soon")
        await waiting(run)

    run = await start(runs, work)
    async with asyncio.timeout(WAIT_S), aclosing(runs.subscribe(run.id)) as events:
        await anext(events)
        assert (await anext(events)).event == TextDelta("soon", 0)
    waiting.go_on.set()
    await runs.close()


async def test_whoever_makes_events_faster_than_they_are_committed_has_to_wait(
    runs: Runs, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "MAX_BACKLOG", 10)
    count = 0

    async def work(run: Run) -> None:
        nonlocal count
        store.gate.clear()
        for _ in range(1_000):
            await run.stream_text("x")
            count += 1

    run = await start(runs, work)
    await steps(100)
    assert 10 <= count <= 13
    store.gate.set()
    text = [each for each in await said(runs, run.id) if isinstance(each, TextDelta)]
    assert "".join(each.text for each in text) == "x" * 1_000


# Failing


async def test_a_failure_that_we_explain_ends_the_run_with_its_code(runs: Runs) -> None:
    async def work(_: Run) -> None:
        raise ModelBusy("The model is busy.")

    run = await start(runs, work)
    last = (await said(runs, run.id))[-1]
    assert last == RunFinished(
        "failed", "model_busy", "The model is busy. Wait a minute and try again."
    )


async def test_a_fault_of_ours_ends_the_run_without_its_text(runs: Runs) -> None:
    async def work(_: Run) -> None:
        raise RuntimeError("the key is sk-secret")

    run = await start(runs, work)
    last = (await said(runs, run.id))[-1]
    assert isinstance(last, RunFinished)
    assert (last.outcome, last.code) == ("failed", "internal_error")
    assert "sk-secret" not in last.message
    assert runs.under_way == 0


async def test_a_file_that_is_open_when_a_run_fails_is_dropped_first(runs: Runs) -> None:
    async def work(run: Run) -> None:
        await run.append(FileStarted("a.ts", "create"))
        await run.stream_file("a.ts", "half")
        raise ForgeError("It broke.")

    run = await start(runs, work)
    assert (await said(runs, run.id))[2:] == [
        FileDelta("a.ts", "half"),
        FileDropped("a.ts", "the run ended before it"),
        RunFinished("failed", "internal_error", "It broke."),
    ]


async def test_a_file_that_was_begun_twice_and_finished_is_not_dropped(runs: Runs) -> None:
    run = await start(
        runs,
        saying(
            FileStarted("a.ts", "edit"),
            FileStarted("a.ts", "edit"),
            FileFinished("a.ts", "whole"),
        ),
    )
    assert not [each for each in await said(runs, run.id) if isinstance(each, FileDropped)]


async def test_a_store_that_fails_in_mid_run_ends_its_subscribers_with_that(
    runs: Runs, store: GatedStore
) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    reading = asyncio.create_task(read(runs, run.id))
    await until(lambda: run.listeners == 1)
    store.broken = StoreFailed("The disk is full.")
    waiting.go_on.set()
    with pytest.raises(StoreFailed, match="The disk is full"):
        await reading
    async with asyncio.timeout(WAIT_S):
        await run.finished()
        await runs.close()
    assert runs.under_way == 0


async def test_a_run_that_only_streams_ends_its_subscribers_too_when_the_store_fails(
    runs: Runs, store: GatedStore
) -> None:
    waiting = Waiting()

    async def work(run: Run) -> None:
        await waiting.go_on.wait()
        await run.stream_text("lost")
        await steps(100)
        store.broken = None

    run = await start(runs, work)
    reading = asyncio.create_task(read(runs, run.id))
    await until(lambda: run.listeners == 1)
    store.broken = StoreFailed("The disk is full.")
    waiting.go_on.set()
    with pytest.raises(StoreFailed, match="The disk is full"):
        await reading


async def test_a_run_that_only_streams_ends_when_the_store_fails(
    runs: Runs, store: GatedStore
) -> None:
    async def work(run: Run) -> None:
        store.broken = StoreFailed("The disk is full.")
        while True:
            await run.stream_text("lost")
            await asyncio.sleep(0)

    run = await start(runs, work)
    async with asyncio.timeout(WAIT_S):
        await run.finished()
    assert run.is_broken


async def test_a_run_that_lost_its_journal_is_ended_once_it_can_be(
    runs: Runs, store: GatedStore
) -> None:
    run = await start(runs, Waiting())
    store.broken = StoreFailed("The disk is full.")
    await runs.cancel(run.id)
    await run.finished()
    await until(lambda: runs.live(run.id) is None)
    assert (await runs.record(run.id)).outcome is None
    store.broken = None
    await runs.end_orphans()
    (last,) = [each for each in await said(runs, run.id) if isinstance(each, RunFinished)]
    assert (last.outcome, last.code) == ("failed", "interrupted")


async def test_a_run_that_lost_its_journal_leaves_another_one_alone(
    runs: Runs, store: GatedStore
) -> None:
    one, other = Waiting(), Waiting()
    broken = await start(runs, one)
    whole = await start(runs, other)
    store.broken = StoreFailed("The disk is full.")
    one.go_on.set()
    await until(lambda: len(store.groups) == 3)
    store.broken = None
    other.go_on.set()
    assert (await said(runs, whole.id))[-1] == RunFinished("completed")
    async with asyncio.timeout(WAIT_S):
        await broken.finished()


async def test_a_run_that_cant_be_recorded_does_not_start(runs: Runs, store: GatedStore) -> None:
    store.broken = StoreFailed("The disk is full.")
    begun = False

    async def work(_: Run) -> None:
        nonlocal begun
        begun = True

    with pytest.raises(StoreFailed):
        await start(runs, work)
    assert (begun, runs.under_way) == (False, 0)


async def test_no_more_runs_start_than_are_allowed(store: GatedStore) -> None:
    runs = Runs(store, coalesce_s=0.0, max_active=2)
    waiting = [Waiting(), Waiting()]
    started = [await start(runs, work) for work in waiting]
    with pytest.raises(TooManyRuns, match="2 runs are under way"):
        await start(runs, saying())
    waiting[0].go_on.set()
    await started[0].finished()
    await until(lambda: runs.under_way == 1)
    third = await start(runs, saying())
    assert (await said(runs, third.id))[-1] == RunFinished("completed")
    await runs.close()


# Cancelling


async def test_a_cancelled_run_has_an_outcome_and_no_error(runs: Runs) -> None:
    waiting = Waiting()
    run = await start(runs, waiting)
    await runs.cancel(run.id)
    assert (await said(runs, run.id))[1:] == [CANCELLED]
    await run.finished()
    assert (await runs.record(run.id)).outcome == "cancelled"


async def test_cancelling_twice_is_once(runs: Runs) -> None:
    waiting = Waiting(FileStarted("a.ts", "create"))
    run = await start(runs, waiting)
    await waiting.begun.wait()
    for _ in range(5):
        await runs.cancel(run.id)
        await asyncio.sleep(0)
    assert (await said(runs, run.id))[2:] == [
        FileDropped("a.ts", "the run was cancelled"),
        CANCELLED,
    ]


async def test_a_run_that_is_cancelled_right_after_its_start_says_so(runs: Runs) -> None:
    for _ in range(10):
        run = await start(runs, saying(Stage("one")))
        await runs.cancel(run.id)
        last = (await said(runs, run.id))[-1]
        assert isinstance(last, RunFinished)
        await run.finished()
    await until(lambda: runs.under_way == 0)


async def test_a_cancel_that_comes_while_the_run_ends_lets_it_end(
    runs: Runs, store: GatedStore
) -> None:
    store.gate.set()

    async def work(run: Run) -> None:
        await run.append(FileStarted("a.ts", "create"))
        store.gate.clear()

    run = await start(runs, work)
    await until(lambda: run.is_ending)
    await runs.cancel(run.id)
    await steps()
    store.gate.set()
    events = await said(runs, run.id)
    assert events[2:] == [
        FileDropped("a.ts", "the run ended before it"),
        RunFinished("completed"),
    ]
    await until(lambda: runs.under_way == 0)


async def test_what_has_ended_cant_be_cancelled(runs: Runs) -> None:
    run = await start(runs, saying())
    await read(runs, run.id)
    await until(lambda: runs.live(run.id) is None)
    with pytest.raises(Conflict, match="ended already"):
        await runs.cancel(run.id)
    with pytest.raises(NotFound):
        await runs.cancel("run_nowhere")


async def test_work_may_tidy_up_when_it_is_cancelled(runs: Runs) -> None:
    begun = asyncio.Event()

    async def work(run: Run) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await run.append(Stage("tidied"))

    run = await start(runs, work)
    await begun.wait()
    await runs.cancel(run.id)
    assert (await said(runs, run.id))[1:] == [Stage("tidied"), CANCELLED]


async def test_closing_cancels_every_run_and_waits_for_its_last_word(
    runs: Runs, store: GatedStore
) -> None:
    started = [await start(runs, Waiting(FileStarted("a.ts", "edit"))) for _ in range(4)]
    reading = [asyncio.create_task(read(runs, run.id)) for run in started]
    async with asyncio.timeout(WAIT_S):
        await runs.close()
    assert runs.under_way == 0
    for run, reader in zip(started, reading, strict=True):
        assert told(await reader)[-1] == CANCELLED
        assert told(await store.events(run.id, 0, 10))[-1] == CANCELLED


async def test_closing_may_interrupt_runs_and_keeps_what_they_finished(
    runs: Runs, store: GatedStore
) -> None:
    whole = FileFinished("a.ts", "1")
    waiting = Waiting(FileStarted("a.ts", "create"), whole, FileStarted("b.ts", "create"))
    run = await start(runs, waiting)
    await waiting.begun.wait()
    async with asyncio.timeout(WAIT_S):
        await runs.close(INTERRUPTED)
    assert told(await store.events(run.id, 0, 10))[2:] == [
        whole,
        FileStarted("b.ts", "create"),
        FileDropped("b.ts", "the run ended before it"),
        INTERRUPTED,
    ]
    assert (INTERRUPTED.outcome, INTERRUPTED.code) == ("failed", "interrupted")
    assert (await runs.record(run.id)).outcome == "failed"


async def test_a_run_that_is_being_cancelled_is_not_called_interrupted(
    runs: Runs, store: GatedStore
) -> None:
    run = await start(runs, Waiting())
    await runs.cancel(run.id)
    async with asyncio.timeout(WAIT_S):
        await runs.close(INTERRUPTED)
    assert told(await store.events(run.id, 0, 10))[-1] == CANCELLED


# What is known of runs


async def test_runs_are_found_by_project_and_the_newest_first(runs: Runs) -> None:
    waiting = Waiting()
    one = await start(runs, waiting)
    other = await runs.start(waiting, kind="edit", title="B", project="file:///other")
    assert runs.newest() is other
    assert runs.newest("file:///app") is one
    assert runs.newest("file:///nowhere") is None
    assert runs.live(one.id) is one
    assert {each.id for each in await runs.recent(limit=10)} == {one.id, other.id}
    assert [each.id for each in await runs.recent(limit=10, project="file:///app")] == [one.id]
    waiting.go_on.set()


async def test_a_run_whose_process_died_is_interrupted_when_an_engine_opens(
    tmp_path: Path,
) -> None:
    places = Places.find(tmp_path)
    settings = Settings()
    first = await open_store(default_url(places))
    for run_id, owner in (("run_dead", "999999999:1"), ("run_alive", this_process())):
        await first.create_run(RunRecord(run_id, "generate", "A page", "file:///app", owner, 1))
    await first.close()

    engine = await open_engine(settings, places)
    try:
        dead = await engine.runs.record("run_dead")
        alive = await engine.runs.record("run_alive")
        events = await said(engine.runs, "run_dead")
    finally:
        await engine.close()
    assert (dead.outcome, alive.outcome) == ("failed", None)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].code == "interrupted"
