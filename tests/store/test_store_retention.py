"""Journals that grow smaller as their runs grow old."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.errors import Gone
from forge_lsp.events import (
    Event,
    FileDelta,
    FileFinished,
    FileStarted,
    Recorded,
    RunFinished,
    RunStarted,
    Stage,
    TextDelta,
)
from forge_lsp.ports.store import JournalEntry, RunRecord, Store
from forge_lsp.runs import Runs
from forge_lsp.store.retention import AT_ONCE, MAX_JOINED, joined

DAY_MS = 24 * 60 * 60 * 1000
START, END = RunStarted("generate", ""), RunFinished("completed")
SAID = (
    START,
    TextDelta("a", 0),
    FileStarted("a.ts", "create"),
    TextDelta("b", 1),
    FileDelta("a.ts", "1"),
    TextDelta("c", 2),
    FileDelta("a.ts", "2"),
    TextDelta("d", 3),
    FileFinished("a.ts", "12"),
    END,
)
COMPACTED = (
    (1, START),
    (2, TextDelta("a", 0)),
    (3, FileStarted("a.ts", "create")),
    (8, TextDelta("bcd", 1)),
    (9, FileFinished("a.ts", "12")),
    (10, END),
)

OpenStore = Callable[[], Awaitable[Store]]
Execute = Callable[[str], Awaitable[list[Any]]]
Record = Callable[..., Awaitable[None]]


@pytest.fixture
def record(store: Store, a_run: Callable[..., RunRecord]) -> Record:
    """Records a run that said these things and ended so many days ago."""

    async def one(*said: Event, run_id: str = "run_1", ended_days_ago: float = 2) -> None:
        at = round(time.time() * 1000 - ended_days_ago * DAY_MS)
        await store.create_run(a_run(run_id, owner=store.owner, started_at=at))
        for first in range(0, len(said), 500):
            some = enumerate(said[first : first + 500], first + 1)
            await store.append([JournalEntry(run_id, Recorded(seq, at, e)) for seq, e in some])

    return one


async def tidy(store: Store, **given: float) -> None:
    limits: dict[str, float] = {"keep_days": 30, "keep_mb": 1_000, "compact_after_h": 24}
    async with asyncio.timeout(60):
        await store.tidy(**(limits | given))


async def told(store: Store, run_id: str = "run_1", after: int = 0) -> list[tuple[int, Event]]:
    runs = Runs(store, coalesce_s=0.0, max_active=1)
    return [(each.seq, each.event) async for each in runs.subscribe(run_id, after)]


async def test_text_is_joined_and_pieces_of_files_are_dropped(store: Store, record: Record) -> None:
    await record(*SAID)
    await tidy(store)
    assert tuple(await told(store)) == COMPACTED
    await tidy(store)
    assert tuple(await told(store)) == COMPACTED
    found = await store.run("run_1")
    assert found
    assert (found.journal, found.last_seq, found.outcome) == ("compacted", 10, "completed")


async def test_a_run_that_ended_lately_or_not_at_all_is_left_alone(
    store: Store, record: Record
) -> None:
    await record(*SAID, ended_days_ago=0.9)
    await record(*SAID[:-1], run_id="run_open", ended_days_ago=99)
    await tidy(store, keep_mb=0.000_001, keep_days=30, compact_after_h=24)
    open_run = await store.run("run_open")
    assert open_run
    assert open_run.journal == "whole"
    assert len(await store.events("run_open", 0, 99)) == len(SAID) - 1
    await record(*SAID, run_id="run_new", ended_days_ago=0.9)
    await tidy(store)
    assert await told(store, "run_new") == list(enumerate(SAID, 1))


@pytest.mark.parametrize("cursor", range(11))
async def test_a_cursor_gets_what_it_lacks_or_is_told_to_start_again(
    store: Store, record: Record, cursor: int
) -> None:
    await record(*SAID)
    await tidy(store)
    if 3 < cursor < 8:
        with pytest.raises(Gone, match="joined since you last read it") as caught:
            await told(store, after=cursor)
        assert "from the start" in caught.value.for_people()
    else:
        assert await told(store, after=cursor) == [each for each in COMPACTED if each[0] > cursor]


async def test_the_journal_of_an_old_run_is_removed_and_the_run_stays(
    store: Store, record: Record, execute: Execute
) -> None:
    await record(*SAID, ended_days_ago=31)
    await record(*SAID, run_id="run_2", ended_days_ago=29)
    await tidy(store, compact_after_h=10_000)
    for after in (0, 5, 10):
        with pytest.raises(Gone, match="kept no longer"):
            await told(store, after=after)
    found = await store.run("run_1")
    assert found
    assert (found.journal, found.journal_bytes, found.last_seq) == ("removed", 0, 10)
    assert await execute("SELECT count(*) FROM events WHERE run_id = 'run_1'") == [(0,)]
    assert len(await told(store, "run_2")) == len(SAID)
    assert [run.id for run in await store.runs(limit=9)] == ["run_2", "run_1"]


async def test_the_oldest_are_removed_until_the_rest_is_small_enough(
    store: Store, record: Record
) -> None:
    for days_ago in range(1, 7):
        large = TextDelta("x" * 100_000, 0)
        await record(START, large, END, run_id=f"run_{days_ago}", ended_days_ago=days_ago)
    await tidy(store, keep_mb=0.35, compact_after_h=10_000)
    states = {run.id: run.journal for run in await store.runs(limit=9)}
    kept = dict.fromkeys(["run_1", "run_2", "run_3"], "whole")
    assert states == kept | dict.fromkeys(["run_4", "run_5", "run_6"], "removed")


async def test_what_a_journal_takes_is_counted(
    store: Store, record: Record, execute: Execute
) -> None:
    async def counted_and_there() -> tuple[int, int]:
        payloads = await execute("SELECT payload FROM events")
        there = sum(len(payload.encode()) for (payload,) in payloads)
        found = await store.run("run_1")
        assert found
        return found.journal_bytes, there

    await record(*SAID, TextDelta("ü\U0001f680", 9))
    counted, there = await counted_and_there()
    assert counted == there
    await tidy(store)
    less, there = await counted_and_there()
    assert less == there
    assert less < counted


async def test_a_long_journal_is_made_smaller_in_many_steps_while_others_write(
    store: Store, record: Record, a_run: Callable[..., RunRecord]
) -> None:
    count = 3 * AT_ONCE + 10
    texts = [TextDelta(f"{index};", index) for index in range(count)]
    await record(START, *texts, END)
    await record(START, *texts, END, run_id="run_old", ended_days_ago=31)
    await store.create_run(a_run("run_live", owner=store.owner))
    tidying = asyncio.create_task(tidy(store))
    slowest_s, seq = 0.0, 0
    while not tidying.done():
        seq += 1
        began = time.monotonic()
        await store.append([JournalEntry("run_live", Recorded(seq, 1, Stage("x")))])
        slowest_s = max(slowest_s, time.monotonic() - began)
    await tidying
    # Of the thirteen steps it waits for one or two.
    assert seq > 5
    assert slowest_s < 2
    events = [event for _, event in await told(store)]
    joined_texts = [each for each in events if isinstance(each, TextDelta)]
    assert len(joined_texts) == 4
    assert [each.index for each in joined_texts] == [0, 1, 2, 3]
    assert "".join(each.text for each in joined_texts) == "".join(each.text for each in texts)
    with pytest.raises(Gone):
        await told(store, "run_old")


async def test_two_who_tidy_up_at_once_do_it_once(
    open_another: OpenStore, store: Store, record: Record
) -> None:
    for number in range(6):
        await record(*SAID, run_id=f"run_{number}")
        await record(*SAID, run_id=f"run_old_{number}", ended_days_ago=40)
    stores = [store, *[await open_another() for _ in range(2)]]
    await asyncio.gather(*(tidy(each) for each in stores))
    for number in range(6):
        assert tuple(await told(store, f"run_{number}")) == COMPACTED
        with pytest.raises(Gone):
            await told(store, f"run_old_{number}")


async def test_what_is_said_after_the_end_can_still_be_said(store: Store, record: Record) -> None:
    await record(*SAID, ended_days_ago=31)
    await tidy(store)
    await store.append([JournalEntry("run_1", Recorded(11, 1, Stage("Accepted")))])
    await tidy(store)
    with pytest.raises(Gone):
        await told(store)


pieces = st.lists(
    st.one_of(
        st.builds(TextDelta, st.text(max_size=3), st.just(0)),
        st.builds(FileDelta, st.just("a"), st.text(max_size=3)),
        st.builds(Stage, st.just("s")),
    )
)


@given(pieces)
def test_joining_changes_no_text_and_no_order(said: Sequence[Event]) -> None:
    texts = iter(range(len(said)))
    numbered = [
        TextDelta(each.text, next(texts)) if isinstance(each, TextDelta) else each for each in said
    ]
    page = [Recorded(seq, seq, event) for seq, event in enumerate(numbered, 1)]
    kept, next_text = joined(page, 0)

    def shape(events: Sequence[Event]) -> str:
        return "".join(
            each.text if isinstance(each, TextDelta) else "|"
            for each in events
            if not isinstance(each, FileDelta)
        )

    assert shape([each.event for each in kept]) == shape(said)
    assert {each.seq for each in kept} <= {each.seq for each in page}
    assert [each.seq for each in kept] == sorted({each.seq for each in kept})
    indexes = [each.event.index for each in kept if isinstance(each.event, TextDelta)]
    assert indexes == list(range(next_text))
    assert joined(kept, 0) == (kept, next_text)


def test_no_event_grows_beyond_measure() -> None:
    half = "x" * (MAX_JOINED // 2)
    page = [Recorded(seq, 1, TextDelta(half, seq - 1)) for seq in range(1, 6)]
    kept, _ = joined(page, 0)
    assert [each.seq for each in kept] == [2, 4, 5]
