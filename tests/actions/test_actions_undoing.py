"""Undo in any order, restore and history, on a real store."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from action_world import PROJECT, World, a_world, applied, ending
from memory_workspace import MemoryWorkspace

from forge_lsp.actions.choices import Choice
from forge_lsp.actions.history import history
from forge_lsp.actions.review import Reviews
from forge_lsp.changes.sets import FileChange
from forge_lsp.errors import Conflict, NotFound
from forge_lsp.events import RunFinished, Usage
from forge_lsp.paths import ProjectPath
from forge_lsp.runs import Run

APP = ProjectPath.parse("src/App.tsx")
NEW = ProjectPath.parse("src/New.tsx")
TEXT = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def workspace() -> MemoryWorkspace:
    return MemoryWorkspace({"src/App.tsx": TEXT})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


@pytest.fixture
def reviews(world: World) -> Reviews:
    return world.engine.reviews


async def accepted(
    world: World, workspace: MemoryWorkspace, title: str, files: dict[ProjectPath, bytes | None]
) -> str:
    """A change set of these files, made in the workspace; gives its id."""
    changes = [FileChange(path, await workspace.read(path), files[path]) for path in files]

    async def work(run: Run) -> RunFinished | None:
        await run.append(Usage("code", 100, 20, cost_usd=0.5))
        return await world.engine.reviews.take_over(run, workspace, changes)

    run = await world.engine.runs.start(work, kind="edit", title=title, project=PROJECT)
    assert ending(await world.said(run)).outcome == "completed"
    return run.id


async def three(world: World, workspace: MemoryWorkspace) -> list[str]:
    """Three accepted changes of one file, the first of another one too."""
    ids: list[str] = []
    for number in (2, 10, 17):
        text = (workspace.text(APP) or b"").replace(b"line %d\n" % number, b"new %d\n" % number)
        files: dict[ProjectPath, bytes | None] = {APP: text}
        if not ids:
            files[NEW] = b"new\n"
        ids.append(await accepted(world, workspace, f"Change {number}", files))
    return ids


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_accepted_changes_are_undone_in_any_order(
    order: tuple[int, ...], world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    workspace.type_into(APP, b"line 6\n", b"typed\n")
    wanted = workspace.text(APP) or b""
    for index in order:
        number = (2, 10, 17)[index]
        assert ending(await world.said(await reviews.undo(workspace, ids[index]))).code == ""
        wanted = wanted.replace(b"new %d\n" % number, b"line %d\n" % number)
        assert workspace.text(APP) == wanted
        assert (NEW in workspace.disk) == (0 not in order[: order.index(index) + 1])
    assert workspace.text(APP) == TEXT.replace(b"line 6\n", b"typed\n")
    with pytest.raises(NotFound, match="nothing to undo"):
        await reviews.undo(workspace)


async def test_an_undo_without_a_name_takes_what_was_accepted_last(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    run = await reviews.undo(workspace)
    await world.said(run)
    assert run.record.title == "Change 17"
    await world.said(await reviews.undo(workspace, ids[0]))
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == {"src/App.tsx": TEXT}


async def test_what_another_process_accepts_during_an_undo_is_not_written_over(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    engine = world.engine
    other = Reviews(engine.store, engine.runs, engine.sandboxes, engine.settings.review)
    known = await reviews.find(PROJECT, ids[1])
    more = replace(known.files[0], after=(workspace.text(APP) or b"") + b"more\n", state="pending")
    await engine.store.save_change_set(known.with_file(more))
    before = await workspace.read(APP)

    async def meanwhile() -> None:
        workspace.on_apply = None
        last = ending(await world.said(await other.accept(workspace, Choice(ids[1], APP))))
        assert last.outcome == "completed", last

    workspace.on_apply = meanwhile
    last = ending(await world.said(await reviews.undo(workspace, ids[0])))
    assert last.outcome == "completed", last
    assert (await reviews.find(PROJECT, ids[1])).files[0].state == "accepted"
    assert before is not None
    assert workspace.text(APP) == before.replace(b"new 2\n", b"line 2\n") + b"more\n"
    await world.said(await reviews.undo(workspace, ids[1]))
    await world.said(await reviews.undo(workspace, ids[2]))
    assert workspace.text(APP) == TEXT


async def test_an_undo_under_a_later_change_names_the_file_and_that_change(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    text = (workspace.text(APP) or b"").replace(b"new 2\n", b"newer 2\n")
    await accepted(world, workspace, "Again", {APP: text})
    there = dict(workspace.disk)
    last = ending(await world.said(await reviews.undo(workspace, ids[0])))
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/App.tsx" in last.message
    assert "“Again”" in last.message
    assert workspace.disk == there, "the other file is as it was, too"


async def test_a_restore_is_one_step_and_can_be_undone(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    first = await accepted(
        world, workspace, "First", {APP: TEXT.replace(b"line 2\n", b"new 2\n"), NEW: b"new\n"}
    )
    there = dict(workspace.disk)
    await accepted(world, workspace, "Second", {NEW: None})
    await accepted(world, workspace, "Third", {APP: b"all new\n"})
    later = dict(workspace.disk)
    workspace.labels.clear()
    run = await reviews.restore(workspace, first)
    said = await world.said(run)
    assert (run.record.kind, run.record.title) == ("restore", "Restore: First")
    assert workspace.disk == there
    assert workspace.labels == ["Forge: Restore: First"]
    assert applied(said, "workspace") == {APP: True, NEW: True}
    assert reviews.pending(PROJECT) == ()
    again = await reviews.restore(workspace, first)
    assert ending(await world.said(again)).code == "conflict", "it is so already"
    await world.said(await reviews.undo(workspace, run.id))
    assert workspace.disk == later
    assert (await reviews.find(PROJECT, run.id)).files[0].state == "undone"


async def test_a_restore_that_does_not_merge_changes_nothing_and_names_the_file(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    await accepted(world, workspace, "More", {NEW: b"more\n"})
    workspace.type_into(APP, b"new 17\n", b"mine\n")
    there = dict(workspace.disk), dict(workspace.documents)
    last = ending(await world.said(await reviews.restore(workspace, ids[0])))
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/App.tsx" in last.message
    assert (workspace.disk, workspace.documents) == there
    assert reviews.pending(PROJECT) == ()


async def test_a_restore_that_the_editor_makes_in_part_is_taken_back_whole(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    await accepted(world, workspace, "More", {NEW: b"more\n"})
    there = dict(workspace.disk)
    workspace.read_only.add("src/New.tsx")
    run = await reviews.restore(workspace, ids[0])
    last = ending(await world.said(run))
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/New.tsx" in last.message
    assert workspace.disk == there
    assert not (await reviews.find(PROJECT, run.id)).is_pending


async def test_there_is_nothing_to_go_back_to_where_nothing_was_accepted_or_came_later(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    last = ending(await world.said(await reviews.restore(workspace, ids[2])))
    assert last.code == "conflict"
    await world.said(await reviews.undo(workspace, ids[1]))
    with pytest.raises(Conflict, match="nothing to go back to"):
        await reviews.restore(workspace, ids[1])
    with pytest.raises(NotFound):
        await reviews.restore(workspace, "run_unknown")
    other = MemoryWorkspace({}, project="file:///other")
    with pytest.raises(NotFound):
        await reviews.restore(other, ids[0])


async def test_changes_accepted_at_one_moment_keep_their_order(
    world: World, workspace: MemoryWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_lsp.actions.change_sets.now_ms", lambda: 5)
    ids = await three(world, workspace)
    found = await world.engine.store.accepted_change_sets(PROJECT)
    assert [each.id for each in found] == ids[::-1]
    assert [each.accepted_at for each in found] == [7, 6, 5]


async def test_the_history_tells_of_each_change_with_its_run(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    await world.said(await reviews.undo(workspace, ids[1]))
    found = await history(world.engine.store, PROJECT, limit=10)
    assert [each.change_set.id for each in found] == ids[::-1]
    assert [each.change_set.state for each in found] == ["accepted", "undone", "accepted"]
    first = found[-1]
    assert [(each.path, each.added, each.removed) for each in first.change_set.files] == [
        (APP, 1, 1),
        (NEW, 1, 0),
    ]
    assert first.run is not None
    assert (first.run.title, first.run.outcome) == ("Change 2", "completed")
    assert (first.run.input_tokens, first.run.output_tokens, first.run.cost_usd) == (100, 20, 0.5)


async def test_the_history_goes_on_where_a_page_ended(
    world: World, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    store = world.engine.store
    page = await history(store, PROJECT, limit=2)
    rest = await history(store, PROJECT, limit=2, before=page[-1].change_set.id)
    assert [each.change_set.id for each in [*page, *rest]] == ids[::-1]
    assert await history(store, PROJECT, limit=2, before="run_unknown") == []
    assert await history(store, "file:///other", limit=2, before=ids[0]) == []


async def test_a_change_whose_run_is_gone_is_listed_all_the_same(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    ids = await three(world, workspace)
    known = await reviews.find(PROJECT, ids[2])
    await world.engine.store.save_change_set(
        replace(known, id="run_gone", created_at=known.created_at + 1)
    )
    (newest,) = await history(world.engine.store, PROJECT, limit=1)
    assert (newest.change_set.id, newest.run) == ("run_gone", None)


async def test_a_rename_by_case_alone_is_undone_and_gone_back_to(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    first = await accepted(world, workspace, "First", {NEW: b"new\n"})
    there = dict(workspace.disk)
    other = ProjectPath.parse("src/app.tsx")
    await accepted(world, workspace, "Rename", {APP: None, other: TEXT})
    renamed = dict(workspace.disk)
    run = await reviews.restore(workspace, first)
    await world.said(run)
    assert workspace.disk == there
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == renamed
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == there
