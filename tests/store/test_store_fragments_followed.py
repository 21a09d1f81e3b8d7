"""What those see who follow fragments, on every kind of database."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord
from forge_lsp.ports.store import Store

OpenStore = Callable[[], Awaitable[Store]]

WAIT_S = 20
LONG_NAME = "file:///" + "é" * 8_000
A, B, C = (ProjectPath.parse(path) for path in ("src/a.ts", "b.ts", "c.ts"))


async def begin(store: Store, project: str = "proj_1", fragment: str = "frag_1") -> None:
    await store.save_project(ProjectRecord(project, "ci", "A page", 10, 10))
    made = FragmentRecord(fragment, "msg_1", project, "ci", "A page", 1, 10, 10)
    await store.add_fragment(made, {A: b"a1", B: b"b1"}, "Generated")


async def edit(store: Store, fragment: str = "frag_1") -> None:
    await store.merge_fragment(fragment, {A: b"a2"}, at=20, reason="Edited")


async def test_steps_begin_with_the_files_as_they_were(store: Store) -> None:
    await begin(store)
    await store.merge_fragment("frag_1", {A: b"a2", C: b"c2"}, at=20, reason="Edited")
    await store.merge_fragment("frag_1", {A: None}, at=30, reason="Saved in the editor")
    await store.merge_fragment("frag_1", {C: b"c4"}, at=40, reason="Edited")
    assert await store.fragment_steps("frag_1", 4) == []
    assert await store.fragment_steps("frag_1", 2) == [
        FragmentStep(2, "Edited", C, b"c2"),
        FragmentStep(2, "Edited", A, b"a2"),
        FragmentStep(3, "Saved in the editor", A, None),
        FragmentStep(4, "Edited", C, b"c4"),
    ]
    told = [(each.version, each.path) for each in await store.fragment_steps("frag_1", 1)]
    assert told == [(1, A), (2, C), (2, A), (3, A), (4, C)]
    assert await store.fragment_steps("frag_none", 1) == []


async def test_what_is_taken_grows_only(store: Store) -> None:
    await begin(store)
    await begin(store, "proj_2", "frag_2")
    assert await store.taken_versions("proj_1") == {}
    for version in (2, 5, 3):
        await store.note_taken("frag_1", version)
    await store.note_taken("frag_2", 9)
    assert await store.taken_versions("proj_1") == {"frag_1": 5}


async def test_a_sandbox_is_its_last_owners_until_it_is_nobodys(
    store: Store, open_another: OpenStore
) -> None:
    assert await store.sandbox_owner("sb_1") is None
    another = await open_another()
    for owner in (another, store):
        await owner.own_sandbox("sb_1")
        assert await another.sandbox_owner("sb_1") == owner.owner
    await store.disown_sandboxes(["sb_1", "sb_2"])
    await store.disown_sandboxes([])
    assert await another.sandbox_owner("sb_1") is None


async def test_all_fragments_that_were_shown_in_a_sandbox_move_with_it(store: Store) -> None:
    await begin(store)
    await begin(store, fragment="frag_2")
    await begin(store, "proj_2", "frag_3")
    for fragment in ("frag_1", "frag_2", "frag_3"):
        await store.tell_sandbox(fragment, "sb_1", "http://x/")
    await store.move_sandbox("proj_1", "sb_1", "sb_2", "http://y/")
    found = [await store.fragment(f"frag_{number}") for number in (1, 2, 3)]
    assert [each.sandbox_url for each in found if each] == ["http://y/", "http://y/", "http://x/"]
    await store.tell_sandbox("frag_1", None, None)
    await store.move_sandbox("proj_1", None, "sb_3", "http://z/")
    moved = await store.fragment("frag_1")
    assert moved is not None
    assert (moved.sandbox_id, moved.version) == ("sb_3", 1)


@pytest.mark.parametrize("project", ["proj_1", LONG_NAME])
async def test_whoever_follows_hears_of_each_version_by_whomever(
    store: Store, open_another: OpenStore, project: str
) -> None:
    await begin(store, project)
    another = await open_another()
    clock = asyncio.get_running_loop().time
    with another.watch_fragments(project) as watch:
        # What was written before may still be told.
        await watch.changed(0.5)
        for writer in (store, another, store):
            began = clock()
            await edit(writer)
            await watch.changed(WAIT_S)
            assert clock() - began < WAIT_S / 2


async def test_other_projects_versions_wake_nobody(store: Store, open_another: OpenStore) -> None:
    await begin(store)
    await begin(store, "proj_2", "frag_2")
    another = await open_another()
    clock = asyncio.get_running_loop().time
    with another.watch_fragments("proj_1") as mine, another.watch_fragments("proj_2") as theirs:
        for watch in (mine, theirs):
            # What was written before may still be told, more than once.
            is_quiet = False
            while not is_quiet:
                began = clock()
                await watch.changed(0.3)
                is_quiet = clock() - began >= 0.25
        await edit(store, "frag_2")
        await theirs.changed(WAIT_S)
        began = clock()
        await mine.changed(0.3)
        assert clock() - began >= 0.25
        mine.tell()
        await mine.changed(WAIT_S)
        assert clock() - began < WAIT_S / 2
