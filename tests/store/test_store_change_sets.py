import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.changes.summaries import ChangeSummary, FileSummary
from forge_lsp.errors import StoreFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import RunRecord, Store
from forge_lsp.store import schema

APP = ProjectPath.parse("src/App.tsx")
LOGO = ProjectPath.parse("public/ü logo.png")
NOTES = ProjectPath.parse("notes.txt")

MakeChangeSet = Callable[..., ChangeSet]
Execute = Callable[[str], Awaitable[list[Any]]]


@pytest.fixture
def a_change_set() -> MakeChangeSet:
    def make(*files: FileChange, change_set_id: str = "run_1", created_at: int = 1) -> ChangeSet:
        return ChangeSet(change_set_id, "file:///app", "A counter", created_at, files)

    return make


async def test_a_change_set_comes_back_as_it_was_saved(store: Store, a_change_set: MakeChangeSet):
    saved = a_change_set(
        FileChange(NOTES, before=None, after=b"new\r\n\xff\x00"),
        FileChange(APP, before=b"old", after=None, state="accepted", undo_to=b"older"),
        FileChange(LOGO, before=b"", after=b"", state="rejected", undo_from=b"left"),
    )
    await store.save_change_set(saved)

    assert await store.change_set("run_1") == saved
    assert await store.change_set("run_unknown") is None


async def test_what_another_has_decided_meanwhile_is_not_written_over(
    store: Store, a_change_set: MakeChangeSet
):
    seen = a_change_set(FileChange(APP, before=b"old", after=b"new"))
    await store.save_change_set(seen)
    made = a_change_set(seen.files[0].accepted(b"old", b"new", at=5))
    unmade = a_change_set(seen.files[0].accepted(b"new", b"new", at=6))
    assert await store.save_change_sets([made], expected=seen)
    assert not await store.save_change_sets([unmade], expected=seen)
    assert await store.change_set("run_1") == made


async def test_every_field_of_contents_is_kept_apart_from_the_others(
    store: Store, a_change_set: MakeChangeSet
):
    saved = a_change_set(
        FileChange(APP, before=b"1", after=b"2", undo_to=b"3", undo_from=b"4"),
        FileChange(NOTES, before=None, after=None, undo_to=None, undo_from=None),
    )
    await store.save_change_set(saved)
    assert await store.change_set("run_1") == saved


async def test_paths_are_checked_when_they_come_back(
    store: Store, a_change_set: MakeChangeSet, execute: Execute
):
    await store.save_change_set(a_change_set(FileChange(APP, None, b"x")))
    await execute("UPDATE file_changes SET path = '../outside'")

    with pytest.raises(StoreFailed) as caught:
        await store.change_set("run_1")
    assert "outside" not in caught.value.for_people()


async def test_a_change_set_without_files_is_one(store: Store, a_change_set: MakeChangeSet):
    await store.save_change_set(a_change_set())
    assert await store.change_set("run_1") == a_change_set()


async def test_saving_again_brings_it_up_to_date(store: Store, a_change_set: MakeChangeSet):
    first = a_change_set(FileChange(APP, b"old", b"new"), FileChange(NOTES, None, b"note"))
    await store.save_change_set(first)
    decided = first.with_file(
        FileChange(APP, b"new", b"new", "accepted", undo_to=b"old", undo_from=b"new")
    )
    await store.save_change_set(decided)
    assert await store.change_set("run_1") == decided

    fewer = replace(decided, title="Another title", files=decided.files[1:])
    await store.save_change_set(fewer)
    assert await store.change_set("run_1") == fewer
    assert await store.change_sets("file:///app", limit=9) == [fewer]


async def test_contents_are_kept_once(store: Store, a_change_set: MakeChangeSet, execute: Execute):
    content = os.urandom(3_000_000)
    first = a_change_set(FileChange(APP, None, content), FileChange(NOTES, None, content))
    await store.save_change_set(first)
    await store.save_change_set(first.with_file(FileChange(APP, content, None, undo_to=content)))
    await store.save_change_set(replace(first, id="run_2"))

    kept = await execute("SELECT hash, length(content) FROM blobs")
    assert kept == [(sha256(content).hexdigest(), len(content))]
    assert await store.change_set("run_2") == replace(first, id="run_2")


async def test_stores_that_save_the_same_contents_at_once_keep_them_once(
    open_another: Callable[[], Awaitable[Store]], a_change_set: MakeChangeSet, execute: Execute
):
    stores = [await open_another() for _ in range(4)]
    saved = [a_change_set(FileChange(APP, None, b"x"), change_set_id=str(n)) for n in range(4)]
    await asyncio.gather(*(each.save_change_set(saved[n]) for n, each in enumerate(stores)))

    assert [await stores[0].change_set(str(n)) for n in range(4)] == saved
    assert await execute("SELECT count(*) FROM blobs") == [(1,)]


async def test_large_contents_and_many_files_come_back(store: Store, a_change_set: MakeChangeSet):
    many = tuple(
        FileChange(ProjectPath.parse(f"src/{number}.ts"), str(number).encode(), os.urandom(99))
        for number in range(1200)
    )
    large = FileChange(APP, os.urandom(20_000_000), bytes(range(256)) * 40_000)
    saved = a_change_set(*many, large)
    await store.save_change_set(saved)
    assert await store.change_set("run_1") == saved


async def test_change_sets_of_a_project_are_listed_newest_first(
    store: Store, a_change_set: MakeChangeSet
):
    files = (FileChange(APP, None, b"x"), FileChange(NOTES, b"y", None))
    for number in (3, 1, 2):
        saved = a_change_set(*files, change_set_id=f"run_{number}", created_at=number)
        await store.save_change_set(saved)
    elsewhere = replace(a_change_set(*files, change_set_id="run_4"), project="file:///other")
    await store.save_change_set(elsewhere)

    found = await store.change_sets("file:///app", limit=2)
    assert [each.id for each in found] == ["run_3", "run_2"]
    assert all(each.files == files for each in found)
    assert await store.change_sets("file:///other", limit=9) == [elsewhere]
    assert await store.change_sets("file:///none", limit=9) == []


async def test_a_change_set_that_can_not_be_written_leaves_the_one_before(
    store: Store, a_change_set: MakeChangeSet
):
    first = a_change_set(FileChange(APP, None, b"x"))
    await store.save_change_set(first)
    with pytest.raises(StoreFailed):
        await store.save_change_set(replace(first, title="lone \ud800", files=()))
    assert await store.change_set("run_1") == first


async def test_several_are_saved_together_or_not_at_all(store: Store, a_change_set: MakeChangeSet):
    sets = [a_change_set(FileChange(APP, None, b"x"), change_set_id=f"run_{n}") for n in range(3)]
    await store.save_change_sets(sets)
    assert [await store.change_set(each.id) for each in sets] == sets
    with pytest.raises(StoreFailed):
        await store.save_change_sets(
            [replace(sets[0], title="new"), replace(sets[1], title="lone \ud800")]
        )
    assert await store.change_set("run_0") == sets[0]
    await store.save_change_sets([])


async def test_accepted_ones_are_listed_by_their_last_accept(
    store: Store, a_change_set: MakeChangeSet
):
    def accepted(at: int | None, path: ProjectPath = APP) -> FileChange:
        return FileChange(path, b"2", b"2", "accepted", b"1", b"2", accepted_at=at)

    early = a_change_set(accepted(3), accepted(5, NOTES), change_set_id="run_1", created_at=9)
    late = a_change_set(accepted(4), accepted(8, NOTES), change_set_id="run_2", created_at=1)
    never = a_change_set(FileChange(APP, b"1", b"2"), change_set_id="run_3", created_at=2)
    elsewhere = replace(a_change_set(accepted(9), change_set_id="run_4"), project="file:///other")
    await store.save_change_sets([early, late, never, elsewhere])

    assert await store.accepted_change_sets("file:///app") == [late, early]
    assert await store.accepted_change_sets("file:///app", limit=1) == [late]
    assert await store.accepted_change_sets("file:///app", after=5) == [late]
    assert await store.accepted_change_sets("file:///app", after=8) == []


async def test_summaries_tell_all_but_the_contents(store: Store, a_change_set: MakeChangeSet):
    change = FileChange(APP, b"1", b"2", "accepted", b"1", b"2", accepted_at=7, added=3, removed=1)
    some = [a_change_set(change, change_set_id=f"run_{n}", created_at=n // 2) for n in range(5)]
    await store.save_change_sets([*some, a_change_set(change_set_id="run_x", created_at=9)])

    empty, newest, *_ = await store.change_summaries("file:///app", limit=9)
    assert (empty.id, empty.files) == ("run_x", ())
    assert newest == ChangeSummary(
        "run_4", "A counter", 2, (FileSummary(APP, "accepted", 3, 1, 7),)
    )
    older = await store.change_summaries("file:///app", limit=2, before="run_3")
    assert [each.id for each in older] == ["run_2", "run_1"]
    assert await store.change_summaries("file:///app", limit=2, before="run_0") == []


async def test_a_long_history_is_listed_in_an_instant(
    store: Store, a_change_set: MakeChangeSet, a_run: Callable[..., RunRecord], execute: Execute
):
    await store.save_change_set(a_change_set(FileChange(APP, None, b"x")))
    await store.create_run(a_run())
    numbers = (
        "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 10000) "
        "INSERT INTO {} SELECT {} FROM n, {} AS old WHERE {}"
    )
    for table, key, moved in (
        ("change_sets", "id", ("created_at",)),
        ("file_changes", "change_set_id", ()),
        ("runs", "id", ("started_at",)),
    ):
        columns = schema.metadata.tables[table].columns.keys()
        values = [f'old."{name}"' + (" + n" if name in moved else "") for name in columns]
        values[list(columns).index(key)] = "'run_' || n"
        insert = f"{table} ({', '.join(map(quoted, columns))})"
        where = f"old.{key} = 'run_1'"
        await execute(numbers.format(insert, ", ".join(values), table, where))

    took: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        page = await store.change_summaries("file:///app", limit=50, before="run_9000")
        runs = await store.runs_named([each.id for each in page])
        took.append(time.perf_counter() - started)
        assert [each.id for each in page[:2]] == ["run_8999", "run_8998"]
        assert len(runs) == 50
    assert min(took) < 0.2


def quoted(name: str) -> str:
    return f'"{name}"'
