import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import chain, count

import pytest

from forge_lsp.changes.hunks import Hunk
from forge_lsp.errors import StoreFailed
from forge_lsp.events import (
    Event,
    FileFinished,
    Problem,
    RunFinished,
    RunStarted,
    Stage,
    TextDelta,
    Usage,
)
from forge_lsp.ports.model import Message
from forge_lsp.ports.store import JournalEntry, RunRecord, Store

MakeRun = Callable[..., RunRecord]
MakeEntries = Callable[..., list[JournalEntry]]

WEIRD = (
    "\x01\x7f\u2028 ' \" \\ %s :x $1 ; -- \ufeff\ufffe e\u0301 \U0001f469\u200d\U0001f680 \u202e"
)


async def test_a_run_comes_back_as_it_was_created(store: Store, a_run: MakeRun):
    plain = a_run("run_plain", title=WEIRD, project="file:///ü%20 ?#")
    full = a_run(
        "run_full",
        ended_at=5,
        outcome="refused",
        last_seq=7,
        input_tokens=2**40,
        output_tokens=1,
        cost_usd=0.1,
        account="somebody",
    )
    await store.create_run(plain)
    await store.create_run(full)

    assert await store.run("run_plain") == plain
    assert await store.run("run_full") == full
    assert await store.run("run_unknown") is None


async def test_a_run_is_created_once(store: Store, a_run: MakeRun):
    await store.create_run(a_run(title="first"))
    with pytest.raises(StoreFailed):
        await store.create_run(a_run(title="second"))

    found = await store.run("run_1")
    assert found
    assert found.title == "first"


async def test_runs_are_listed_newest_first_of_one_project_or_all(store: Store, a_run: MakeRun):
    for number in range(6):
        project = "file:///even" if number % 2 == 0 else "file:///odd"
        await store.create_run(a_run(f"run_{number}", started_at=number, project=project))

    assert [run.id for run in await store.runs(limit=3)] == ["run_5", "run_4", "run_3"]
    of_even = await store.runs(limit=10, project="file:///even")
    assert [run.id for run in of_even] == ["run_4", "run_2", "run_0"]
    assert await store.runs(limit=10, project="file:///none") == []
    assert await store.runs(limit=0) == []


async def test_events_come_back_in_order_and_whole(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    said = entries(
        RunStarted("generate", WEIRD),
        Stage("Writing", 1, None),
        TextDelta("with\x00NUL", 0),
        FileFinished("a.ts", "x" * 1_000_000, (Hunk(1, 2, 3, 4),)),
        FileFinished("b.ts", None),
    )
    await store.create_run(a_run())
    await store.append(said[:1])
    await store.append(said[1:])

    assert await store.events("run_1", 0, 100) == [entry.recorded for entry in said]


async def test_events_are_read_by_pages(store: Store, a_run: MakeRun, entries: MakeEntries):
    await store.create_run(a_run())
    await store.append(entries(*(TextDelta("x", index) for index in range(10))))

    assert [each.seq for each in await store.events("run_1", 0, 4)] == [1, 2, 3, 4]
    assert [each.seq for each in await store.events("run_1", 4, 4)] == [5, 6, 7, 8]
    assert [each.seq for each in await store.events("run_1", 8, 4)] == [9, 10]
    assert await store.events("run_1", 10, 4) == []
    assert await store.events("run_unknown", 0, 4) == []


async def test_ten_thousand_events_are_replayed(store: Store, a_run: MakeRun, entries: MakeEntries):
    await store.create_run(a_run())
    for first in range(1, 10_001, 500):
        texts = (TextDelta(f"piece {index}", index) for index in range(first, first + 500))
        await store.append(entries(*texts, first=first))

    replayed: list[Event] = []
    while page := await store.events("run_1", len(replayed), 500):
        replayed.extend(recorded.event for recorded in page)

    assert replayed == [TextDelta(f"piece {index}", index) for index in range(1, 10_001)]
    found = await store.run("run_1")
    assert found
    assert found.last_seq == 10_000


async def test_nothing_is_a_group_too(store: Store):
    await store.append([])


async def test_usage_and_the_end_bring_the_record_up_to_date(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run())
    await store.append(entries(RunStarted("generate", ""), Usage("m", 10, 20)))
    found = await store.run("run_1")
    assert found
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (10, 20, None)

    await store.append(entries(Usage("m", 1, 2, cost_usd=0.5), Usage("m", 3, 4), first=3))
    await store.append(entries(Usage("m", 5, 6, cost_usd=0.25), first=5))
    found = await store.run("run_1")
    assert found
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (19, 32, 0.75)
    assert (found.last_seq, found.ended_at, found.outcome) == (5, None, None)

    end = entries(RunFinished("truncated"), first=6)
    await store.append(end)
    await store.append(entries(Stage("Accepted"), first=7))
    found = await store.run("run_1")
    assert found
    assert (found.ended_at, found.outcome) == (end[0].recorded.at, "truncated")
    assert found.last_seq == 7


async def test_one_group_serves_many_runs(store: Store, a_run: MakeRun, entries: MakeEntries):
    names = [f"run_{number}" for number in range(64)]
    for name in names:
        await store.create_run(a_run(name))
    firsts = [entries(RunStarted("generate", name), run_id=name)[0] for name in names]
    seconds = [entries(Usage(name, 1, 1), run_id=name, first=2)[0] for name in names]
    await store.append([*firsts, *seconds])

    for name in names:
        recorded = await store.events(name, 0, 10)
        assert [each.event for each in recorded] == [
            RunStarted("generate", name),
            Usage(name, 1, 1),
        ]
    assert {run.last_seq for run in await store.runs(limit=100)} == {2}


@pytest.mark.parametrize(
    ("seqs", "why"),
    [
        ([2], "the same place twice"),
        ([4], "a gap before the group"),
        ([3, 5], "a gap within it"),
        ([3, 3], "the same place twice within it"),
        ([3, 2], "backwards"),
        ([1, 2, 3], "from the start again"),
    ],
)
async def test_a_group_that_does_not_go_on_is_refused_whole(
    store: Store, a_run: MakeRun, entries: MakeEntries, seqs: list[int], why: str
):
    await store.create_run(a_run("run_1"))
    await store.create_run(a_run("run_2"))
    await store.append(entries(Stage("1"), Stage("2")))
    wrong = [entries(Stage(why), first=seq)[0] for seq in seqs]

    with pytest.raises(StoreFailed):
        await store.append([*entries(Usage("m", 1, 1), run_id="run_2"), *wrong])

    assert [each.event for each in await store.events("run_1", 0, 9)] == [Stage("1"), Stage("2")]
    assert await store.events("run_2", 0, 9) == []
    assert await store.run("run_2") == a_run("run_2")
    await store.append(entries(Stage("3"), first=3))
    assert len(await store.events("run_1", 0, 9)) == 3


async def test_events_of_an_unknown_run_are_refused(store: Store, entries: MakeEntries):
    with pytest.raises(StoreFailed):
        await store.append(entries(Stage("1"), run_id="run_unknown"))
    assert await store.events("run_unknown", 0, 9) == []


async def test_appends_at_once_are_committed_one_after_another(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    names = [f"run_{number}" for number in range(8)]
    await asyncio.gather(*(store.create_run(a_run(name)) for name in names))

    async def fill(name: str) -> None:
        for seq in range(1, 21):
            await store.append(entries(TextDelta(name, seq), run_id=name, first=seq))

    await asyncio.gather(*(fill(name) for name in names))
    for name in names:
        assert len(await store.events(name, 0, 100)) == 20


async def test_a_write_is_carried_through_when_its_caller_is_cancelled(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run())
    seq = 0
    for cut in count(1):
        group = entries(Stage("x"), Stage("y"), first=seq + 1)
        writing = asyncio.create_task(store.append(group))
        for _ in range(round(1.5**cut) - 1):
            await asyncio.sleep(0)  # One turn of the loop: each time the write gets further.
        writing.cancel()
        await asyncio.wait([writing])
        seq += 2
        await store.add_messages("chat", [Message("user", "This write comes after that one.")])
        found = await store.run("run_1")
        assert found
        assert found.last_seq == seq
        assert len(await store.events("run_1", 0, 10_000)) == seq
        if not writing.cancelled():
            break


async def test_closing_carries_through_what_is_under_way(
    open_another: Callable[[], Awaitable[Store]], a_run: MakeRun, entries: MakeEntries
):
    store = await open_another()
    await store.create_run(a_run())
    writing = [
        asyncio.create_task(store.append(entries(Stage("x"), first=seq))) for seq in range(1, 10)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writing)

    assert len(await (await open_another()).events("run_1", 0, 99)) == 9


async def test_a_write_that_fails_after_its_caller_is_gone_is_logged(
    store: Store, entries: MakeEntries, caplog: pytest.LogCaptureFixture
):
    secret = "what the model wrote"
    writing = asyncio.create_task(store.append(entries(Stage(secret), run_id="run_unknown")))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await store.close()

    assert "nobody waits for" in caplog.text
    assert secret not in caplog.text
    assert "INSERT" not in caplog.text


async def test_a_cancelled_read_leaves_the_store_usable(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run())
    await store.append(entries(Stage("1")))
    for turns in range(30):
        reading = asyncio.create_task(store.events("run_1", 0, 9))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert len(await store.events("run_1", 0, 9)) == 1


async def test_orphans_are_ended_and_others_left(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run("run_dead", owner="dead"))
    await store.create_run(a_run("run_silent", owner="dead"))
    await store.create_run(a_run("run_ended", owner="dead"))
    await store.create_run(a_run("run_alive", owner=store.owner))
    await store.append(entries(Stage("1"), Stage("2"), run_id="run_dead"))
    await store.append(entries(RunFinished("completed"), run_id="run_ended"))

    ended = await store.interrupt_orphans()

    assert sorted(ended) == ["run_dead", "run_silent"]
    for name, seq in (("run_dead", 3), ("run_silent", 1)):
        (last,) = await store.events(name, seq - 1, 9)
        assert isinstance(last.event, RunFinished)
        assert (last.seq, last.event.outcome, last.event.code) == (seq, "failed", "interrupted")
        assert last.event.message.startswith("The run was interrupted")
        found = await store.run(name)
        assert found
        assert (found.last_seq, found.outcome, found.ended_at) == (seq, "failed", last.at)
    alive = await store.run("run_alive")
    assert alive
    assert alive.ended_at is None
    assert await store.interrupt_orphans() == []


async def test_an_orphan_is_ended_by_one_store_only(
    open_another: Callable[[], Awaitable[Store]], a_run: MakeRun
):
    stores = [await open_another() for _ in range(3)]
    for number in range(10):
        await stores[0].create_run(a_run(f"run_{number}"))

    ended = await asyncio.gather(*(each.interrupt_orphans() for each in stores))

    assert sorted(chain.from_iterable(ended)) == [f"run_{n}" for n in range(10)]
    for number in range(10):
        assert len(await stores[0].events(f"run_{number}", 0, 9)) == 1


async def test_a_run_that_was_ended_as_an_orphan_can_not_go_on(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run())
    await store.interrupt_orphans()
    with pytest.raises(StoreFailed):
        await store.append(entries(Stage("still here")))


async def test_two_stores_write_and_read_one_database(
    open_another: Callable[[], Awaitable[Store]], a_run: MakeRun, entries: MakeEntries
):
    stores = [await open_another() for _ in range(2)]
    for number, each in enumerate(stores):
        await each.create_run(a_run(f"run_{number}"))

    async def fill(number: int) -> None:
        for seq in range(1, 51):
            said = entries(TextDelta("x", seq), run_id=f"run_{number}", first=seq)
            await stores[number].append(said)

    await asyncio.gather(fill(0), fill(1))
    for number, each in enumerate(reversed(stores)):
        assert len(await each.events(f"run_{number}", 0, 100)) == 50
        assert len(await each.runs(limit=9)) == 2


async def test_text_that_is_not_unicode_is_refused_and_harms_nothing(
    store: Store, a_run: MakeRun, entries: MakeEntries
):
    await store.create_run(a_run())
    with pytest.raises(StoreFailed):
        await store.append(entries(Stage("fine"), Problem("c", "lone \ud800")))
    with pytest.raises(StoreFailed):
        await store.create_run(a_run("run_2", title="lone \udfff"))

    await store.append(entries(Stage("fine")))
    assert len(await store.events("run_1", 0, 9)) == 1


async def test_the_largest_numbers_fit(store: Store, a_run: MakeRun, entries: MakeEntries):
    await store.create_run(a_run(started_at=sys.maxsize))
    await store.append(entries(Usage("m", sys.maxsize, 0)))
    found = await store.run("run_1")
    assert found
    assert (found.started_at, found.input_tokens) == (sys.maxsize, sys.maxsize)


async def test_a_closed_store_says_so(store: Store, a_run: MakeRun):
    await store.close()
    with pytest.raises(StoreFailed):
        await store.create_run(a_run())
    await store.close()
