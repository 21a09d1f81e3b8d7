"""Projects, their messages, and fragments with every version."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from forge_lsp.errors import NotFound, VersionConflict
from forge_lsp.events import DesignSpec
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectMessage, ProjectRecord
from forge_lsp.ports.store import Store

OpenStore = Callable[[], Awaitable[Store]]

PROJECT = ProjectRecord("proj_1", "ci", "A page", 10, 10)
FRAGMENT = FragmentRecord(
    "frag_1", "msg_1", "proj_1", "ci", "A page", 1, 10, 10, "sb_1", "http://x/",
    design_spec=DesignSpec({"accent": "#00f"}, "Inter", "one column", ("cards",)),
)  # fmt: skip
A, B, C = (ProjectPath.parse(path) for path in ("src/a.ts", "b.ts", "c.ts"))
AT_ONCE = 50


@pytest.fixture
async def fragment(store: Store) -> FragmentRecord:
    await store.save_project(PROJECT)
    await store.add_fragment(FRAGMENT, {A: b"a1", B: b"b1"}, "Generated")
    return FRAGMENT


async def test_projects_come_in_pages_and_are_an_accounts_own(store: Store):
    for number, at in ((1, 10), (2, 30), (3, 20), (4, 20)):
        await store.save_project(replace(PROJECT, id=f"proj_{number}", created_at=at))
    await store.save_project(replace(PROJECT, id="proj_5", account="other"))
    await store.save_project(replace(PROJECT, id="proj_2", created_at=30, name="Renamed"))
    first = await store.projects("ci", limit=2)
    assert [(each.id, each.name) for each in first] == [
        ("proj_2", "Renamed"),
        ("proj_4", "A page"),
    ]
    behind = first[-1].created_at, first[-1].id
    rest = await store.projects("ci", limit=9, before=behind)
    assert [each.id for each in rest] == ["proj_3", "proj_1"]
    assert await store.project("proj_9") is None


async def test_messages_are_told_with_what_came_of_them(store: Store, fragment: FragmentRecord):
    asked = ProjectMessage("msg_1", "proj_1", "user", "A page", 10, run_id="run_1")
    answer = ProjectMessage("msg_2", "proj_1", "assistant", "Done", 11, fragment_id="frag_1")
    await store.add_project_message(asked)
    await store.add_project_message(answer)
    assert await store.project_messages("proj_1", limit=9) == [answer, asked]
    assert await store.project_messages("proj_1", limit=9, before=(11, "msg_2")) == [asked]


async def test_a_fragment_comes_back_whole(
    store: Store, fragment: FragmentRecord, open_another: OpenStore
):
    another = await open_another()
    assert await another.fragment("frag_1") == FRAGMENT
    assert await another.newest_fragment("proj_1") == FRAGMENT
    assert await another.fragment_files("frag_1") == {A: b"a1", B: b"b1"}
    assert list(await another.fragment_files("frag_1")) == [B, A]
    assert await another.fragment("frag_2") is None
    assert await another.newest_fragment("proj_2") is None


async def test_a_merge_makes_a_version_and_every_version_stays(
    store: Store, fragment: FragmentRecord
):
    second = await store.merge_fragment("frag_1", {A: b"a2", C: b"c2"}, at=20, reason="Edited")
    assert (second.version, second.updated_at, second.created_at) == (2, 20, 10)
    third = await store.merge_fragment("frag_1", {B: None}, at=30, reason="Deleted", expected=2)
    assert third.version == 3
    assert await store.fragment_files("frag_1") == {A: b"a2", C: b"c2"}
    assert await store.fragment_files("frag_1", 2) == {A: b"a2", B: b"b1", C: b"c2"}
    assert await store.fragment_files("frag_1", 1) == {A: b"a1", B: b"b1"}
    told = [(v.version, v.reason, v.changed) for v in await store.fragment_versions("frag_1")]
    assert told == [
        (3, "Deleted", (B,)),
        (2, "Edited", (C, A)),
        (1, "Generated", (B, A)),
    ]


async def test_a_merge_for_another_version_changes_nothing(store: Store, fragment: FragmentRecord):
    await store.merge_fragment("frag_1", {A: b"a2"}, at=20, reason="Edited")
    with pytest.raises(VersionConflict):
        await store.merge_fragment("frag_1", {A: b"a3"}, at=30, reason="Edited", expected=1)
    found = await store.fragment("frag_1")
    assert found is not None
    assert (found.version, found.updated_at) == (2, 20)
    assert (await store.fragment_files("frag_1"))[A] == b"a2"
    with pytest.raises(NotFound):
        await store.merge_fragment("frag_2", {A: b"a"}, at=20, reason="Edited")


async def test_of_fifty_merges_at_once_by_two_processes_no_file_is_lost(
    store: Store, fragment: FragmentRecord, open_another: OpenStore
):
    stores = (store, await open_another())
    paths = [ProjectPath.parse(f"src/file{number}.ts") for number in range(AT_ONCE)]
    merged = await asyncio.gather(
        *(
            stores[number % 2].merge_fragment("frag_1", {path: b"x"}, at=20, reason="Edited")
            for number, path in enumerate(paths)
        )
    )
    assert sorted(each.version for each in merged) == list(range(2, AT_ONCE + 2))
    assert set(paths) < set(await store.fragment_files("frag_1"))


async def test_where_it_is_shown_is_told_without_a_version(store: Store, fragment: FragmentRecord):
    await store.tell_sandbox("frag_1", "sb_2", "http://y/")
    found = await store.fragment("frag_1")
    assert found == replace(FRAGMENT, sandbox_id="sb_2", sandbox_url="http://y/")
