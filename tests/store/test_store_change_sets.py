import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import StoreFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store

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
