import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from action_world import DONE, PROJECT, World, a_world, applied, ending, file
from memory_sandbox import MemorySandbox
from memory_workspace import MemoryWorkspace

from forge_lsp.actions.choices import Choice
from forge_lsp.actions.review import Reviews
from forge_lsp.errors import Conflict, NotFound
from forge_lsp.paths import ProjectPath

APP = ProjectPath.parse("src/App.tsx")
NEW = ProjectPath.parse("src/New.tsx")
BEFORE = b"".join(b"line %d\n" % number for number in range(20))
AFTER = BEFORE.replace(b"line 2\n", b"line two\n").replace(b"line 15\n", b"line fifteen\n")
FIRST_HUNK = BEFORE.replace(b"line 2\n", b"line two\n")
SECOND_HUNK = BEFORE.replace(b"line 15\n", b"line fifteen\n")
DISK = {"package.json": b"{}\n", "src/App.tsx": BEFORE, "src/Old.tsx": b"old\n"}
REPLY = (
    file("src/App.tsx", AFTER.decode())
    + file("src/New.tsx", "new\n")
    + '<delete path="src/Old.tsx"/>\n'
    + DONE
)
TAKEN = {"package.json": b"{}\n", "src/App.tsx": AFTER, "src/New.tsx": b"new\n"}


@pytest.fixture
def workspace() -> MemoryWorkspace:
    return MemoryWorkspace(DISK)


@pytest.fixture
async def world(tmp_path: Path, workspace: MemoryWorkspace) -> AsyncIterator[World]:
    """A world in which a change of three files waits for review."""
    async with a_world(tmp_path, REPLY, REPLY) as world:
        await world.work_in(workspace)
        yield world


@pytest.fixture
def reviews(world: World) -> Reviews:
    return world.engine.reviews


@pytest.fixture
def sandbox(world: World) -> MemorySandbox:
    return world.provider.made[0]


async def test_accepting_all_makes_the_workspace_as_proposed(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    run = await reviews.accept(workspace, Choice())
    said = await world.said(run)
    assert run.record.kind == "accept"
    assert workspace.disk == TAKEN
    assert applied(said, "workspace") == dict.fromkeys((APP, NEW, "src/Old.tsx"), True)
    assert len(workspace.labels) == 1, "all of it is one step in the editor"
    assert reviews.pending(PROJECT) == ()
    assert ending(said).outcome == "completed"


async def test_accepting_a_file_leaves_the_others_to_be_decided(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    await world.said(await reviews.accept(workspace, Choice(path=NEW)))
    assert workspace.disk == {**DISK, "src/New.tsx": b"new\n"}
    assert set(world.pending) == {"src/App.tsx", "src/Old.tsx"}


async def test_accepting_a_hunk_leaves_the_others_to_be_decided(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    await world.said(await reviews.accept(workspace, Choice(path=APP, hunk=1)))
    assert workspace.disk["src/App.tsx"] == SECOND_HUNK
    assert world.pending["src/App.tsx"] == AFTER
    assert sandbox.contents["src/App.tsx"] == AFTER, "it shows what is still proposed"
    await world.said(await reviews.accept(workspace, Choice(path=APP, hunk=0)))
    assert workspace.disk["src/App.tsx"] == AFTER
    assert "src/App.tsx" not in world.pending


async def test_rejecting_a_hunk_takes_it_out_of_the_sandbox(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    said = await world.said(await reviews.reject(workspace, Choice(path=APP, hunk=1)))
    assert workspace.disk == DISK
    assert world.pending["src/App.tsx"] == FIRST_HUNK
    assert sandbox.contents["src/App.tsx"] == FIRST_HUNK
    assert applied(said, "sandbox") == {"src/App.tsx": True}


async def test_rejecting_all_puts_the_sandbox_back(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    assert sandbox.contents["src/App.tsx"] == AFTER
    run = await reviews.reject(workspace, Choice())
    await world.said(run)
    assert run.record.kind == "reject"
    assert workspace.disk == DISK
    assert sandbox.contents["src/App.tsx"] == BEFORE
    assert sandbox.contents["src/Old.tsx"] == b"old\n"
    assert "src/New.tsx" not in sandbox.contents
    assert reviews.pending(PROJECT) == ()


async def test_rejecting_works_though_the_sandbox_is_gone(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    await sandbox.kill()
    said = await world.said(await reviews.reject(workspace, Choice()))
    assert ending(said).outcome == "completed"
    assert reviews.pending(PROJECT) == ()


async def test_undo_puts_back_exactly_what_was_there(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    await world.said(await reviews.accept(workspace, Choice()))
    run = await reviews.undo(workspace)
    said = await world.said(run)
    assert run.record.kind == "undo"
    assert workspace.disk == DISK
    assert {path: sandbox.contents.get(path) for path in (APP, NEW)} == {APP: BEFORE, NEW: None}
    assert ending(said).outcome == "completed"
    with pytest.raises(NotFound, match="nothing to undo"):
        await reviews.undo(workspace)


async def test_undo_is_exact_hunk_by_hunk_too(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    for _ in range(2):
        await world.said(await reviews.accept(workspace, Choice(path=APP, hunk=0)))
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == DISK


async def test_undo_is_refused_with_the_name_of_a_file_that_changed_since(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    await world.said(await reviews.accept(workspace, Choice()))
    workspace.type_into("src/App.tsx", b"line two\n", b"mine\n")
    last = ending(await world.said(await reviews.undo(workspace)))
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/App.tsx" in last.message
    assert workspace.text("src/App.tsx") == AFTER.replace(b"line two\n", b"mine\n")
    assert workspace.disk["src/New.tsx"] == b"new\n", "nothing was undone"
    workspace.type_into("src/App.tsx", b"mine\n", b"line two\n")
    await world.said(await reviews.undo(workspace))
    assert workspace.text("src/App.tsx") == BEFORE


async def test_undo_leaves_what_was_typed_elsewhere_in_the_file(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    await world.said(await reviews.accept(workspace, Choice()))
    workspace.type_into("src/App.tsx", b"line 9\n", b"mine\n")
    await world.said(await reviews.undo(workspace))
    kept = BEFORE.replace(b"line 9\n", b"mine\n")
    assert workspace.text("src/App.tsx") == kept
    assert sandbox.contents["src/App.tsx"] == kept
    assert "src/New.tsx" not in workspace.disk


async def test_an_undo_that_the_editor_makes_in_part_is_taken_back_whole(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    await world.said(await reviews.accept(workspace, Choice()))
    workspace.read_only.add("src/Old.tsx")
    said = await world.said(await reviews.undo(workspace))
    last = ending(said)
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/Old.tsx" in last.message
    assert "Nothing was changed" in last.message
    assert applied(said, "workspace") == {"src/Old.tsx": False}
    assert workspace.disk == TAKEN
    workspace.read_only.clear()
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == DISK


async def test_of_two_undos_at_once_one_finds_nothing_left(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    await world.said(await reviews.accept(workspace, Choice()))
    workspace.may_apply.clear()
    runs = [await reviews.undo(workspace) for _ in range(2)]
    workspace.may_apply.set()
    first, second = [ending(await world.said(run)) for run in runs]
    assert (first.outcome, second.code) == ("completed", "conflict")
    assert workspace.disk == DISK


async def test_the_same_hunk_decided_twice_at_once_is_decided_once(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    workspace.may_apply.clear()
    runs = [await reviews.accept(workspace, Choice(path=APP, hunk=0)) for _ in range(2)]
    runs.append(await reviews.reject(workspace, Choice(path=APP, hunk=1)))
    workspace.may_apply.set()
    first, second, third = [ending(await world.said(run)) for run in runs]
    assert (first.outcome, second.code, third.outcome) == ("completed", "conflict", "completed")
    assert workspace.disk["src/App.tsx"] == FIRST_HUNK
    assert "src/App.tsx" not in world.pending


async def test_a_reject_after_typing_leaves_the_typing_in_the_sandbox_and_takes_the_hunk_out(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    workspace.type_into("src/App.tsx", b"line 9\n", b"mine\n")
    await world.said(await reviews.reject(workspace, Choice(path=APP, hunk=1)))
    assert sandbox.contents["src/App.tsx"] == FIRST_HUNK.replace(b"line 9\n", b"mine\n")
    await world.said(await reviews.reject(workspace, Choice(path=APP)))
    assert sandbox.contents["src/App.tsx"] == BEFORE.replace(b"line 9\n", b"mine\n")
    assert workspace.text("src/App.tsx") == BEFORE.replace(b"line 9\n", b"mine\n")


async def test_a_rejected_hunk_is_out_of_the_fragment_too_and_the_typing_is_in_it(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    async def held() -> bytes | None:
        fragment = await world.engine.store.newest_fragment(PROJECT)
        assert fragment is not None
        return (await world.engine.store.fragment_files(fragment.id))[APP]

    assert await held() == AFTER
    workspace.type_into("src/App.tsx", b"line 9\n", b"mine\n")
    await world.said(await reviews.reject(workspace, Choice(path=APP, hunk=1)))
    assert await held() == FIRST_HUNK.replace(b"line 9\n", b"mine\n")
    await world.said(await reviews.reject(workspace, Choice(path=APP, hunk=0)))
    assert await held() == BEFORE.replace(b"line 9\n", b"mine\n")


async def test_a_hunk_accepted_after_typing_leaves_the_other_in_the_sandbox(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    workspace.type_into("src/App.tsx", b"line 9\n", b"mine\n")
    await world.said(await reviews.accept(workspace, Choice(path=APP, hunk=0)))
    assert workspace.text("src/App.tsx") == FIRST_HUNK.replace(b"line 9\n", b"mine\n")
    assert sandbox.contents["src/App.tsx"] == AFTER.replace(b"line 9\n", b"mine\n")


async def test_a_reject_of_a_file_that_was_deleted_meanwhile_leaves_it_deleted(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    del workspace.disk["src/App.tsx"]
    await world.said(await reviews.reject(workspace, Choice(path=APP)))
    assert "src/App.tsx" not in workspace.disk
    assert "src/App.tsx" not in sandbox.contents


async def test_what_was_typed_meanwhile_is_merged(
    world: World, reviews: Reviews, workspace: MemoryWorkspace, sandbox: MemorySandbox
) -> None:
    workspace.type_into("src/App.tsx", b"line 9\n", b"mine\n")
    await world.said(await reviews.accept(workspace, Choice(path=APP)))
    merged = AFTER.replace(b"line 9\n", b"mine\n")
    assert workspace.text("src/App.tsx") == merged
    assert sandbox.contents["src/App.tsx"] == merged
    await world.said(await reviews.undo(workspace))
    assert workspace.text("src/App.tsx") == BEFORE.replace(b"line 9\n", b"mine\n")


async def test_what_was_typed_in_the_same_lines_is_left_alone_and_named(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    workspace.type_into("src/App.tsx", b"line 2\n", b"mine\n")
    said = await world.said(await reviews.accept(workspace, Choice()))
    last = ending(said)
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/App.tsx" in last.message
    assert applied(said, "workspace") == {APP: False, NEW: True, "src/Old.tsx": True}
    assert workspace.text("src/App.tsx") == BEFORE.replace(b"line 2\n", b"mine\n")
    assert set(world.pending) == {"src/App.tsx"}


async def test_an_edit_that_the_editor_drops_stays_pending(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    workspace.read_only.add("src/New.tsx")
    said = await world.said(await reviews.accept(workspace, Choice()))
    assert ending(said).outcome == "failed"
    assert set(world.pending) == {"src/New.tsx"}


async def test_decisions_at_the_same_time_are_all_remembered(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    workspace.may_apply.clear()
    runs = [
        await reviews.accept(workspace, Choice(path=APP)),
        await reviews.accept(workspace, Choice(path=NEW)),
        await reviews.reject(workspace, Choice(path=ProjectPath.parse("src/Old.tsx"))),
    ]
    workspace.may_apply.set()
    ends = [ending(said) for said in await asyncio.gather(*map(world.said, runs))]
    assert [end.outcome for end in ends] == ["completed"] * 3
    assert reviews.pending(PROJECT) == ()
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == DISK


async def test_accepting_twice_at_once_is_once_and_can_be_undone(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    workspace.may_apply.clear()
    runs = [await reviews.accept(workspace, Choice()) for _ in range(2)]
    workspace.may_apply.set()
    first, second = [ending(await world.said(run)) for run in runs]
    assert (first.outcome, second.code) == ("completed", "conflict")
    await world.said(await reviews.undo(workspace))
    assert workspace.disk == DISK


async def test_what_was_decided_cant_be_decided_again(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    (change_set,) = reviews.pending(PROJECT)
    with pytest.raises(Conflict, match="nothing to undo"):
        await reviews.undo(workspace, change_set.id)
    await world.said(await reviews.reject(workspace, Choice()))
    with pytest.raises(NotFound, match="Nothing waits"):
        await reviews.accept(workspace, Choice())
    again = await reviews.accept(workspace, Choice(change_set_id=change_set.id))
    assert ending(await world.said(again)).code == "conflict"


@pytest.mark.parametrize(
    "choice",
    [Choice(path=ProjectPath.parse("nowhere.ts")), Choice(path=APP, hunk=7)],
    ids=["file", "hunk"],
)
async def test_what_isnt_there_cant_be_decided(
    choice: Choice, world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    for decide in (reviews.accept, reviews.reject):
        assert ending(await world.said(await decide(workspace, choice))).code == "not_found"
    assert workspace.disk == DISK
    assert len(world.pending) == 3


async def test_a_change_of_another_project_is_not_found(
    reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    (change_set,) = reviews.pending(PROJECT)
    other = MemoryWorkspace({}, project="file:///other")
    with pytest.raises(NotFound):
        await reviews.accept(other, Choice(change_set_id=change_set.id))
    with pytest.raises(NotFound):
        await reviews.undo(other)


async def test_the_newest_change_comes_first_and_undo_takes_the_newest(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    await world.said(await reviews.accept(workspace, Choice(path=NEW)))
    workspace.disk["src/New.tsx"] = b"newer\n"
    await world.work_in(workspace)
    newest, oldest = reviews.pending(PROJECT)
    assert newest.created_at >= oldest.created_at
    await world.said(await reviews.accept(workspace, Choice(path=NEW)))
    assert workspace.disk["src/New.tsx"] == b"new\n"
    await world.said(await reviews.undo(workspace))
    assert workspace.disk["src/New.tsx"] == b"newer\n"


async def test_listeners_hear_of_every_decision(
    world: World, reviews: Reviews, workspace: MemoryWorkspace
) -> None:
    heard: list[tuple[str, int]] = []

    def listen(project: str) -> None:
        waiting = sum(len(each.pending) for each in reviews.pending(project))
        heard.append((project, waiting))

    reviews.on_change(listen)
    await world.said(await reviews.accept(workspace, Choice(path=APP)))
    await world.said(await reviews.reject(workspace, Choice()))
    assert heard == [(PROJECT, 2), (PROJECT, 0)]


async def test_another_process_takes_up_what_is_pending(world: World, reviews: Reviews) -> None:
    engine = world.engine
    later = Reviews(engine.store, engine.runs, engine.sandboxes, engine.settings.review)
    assert later.pending(PROJECT) == ()
    await later.load(PROJECT)
    assert later.pending(PROJECT) == reviews.pending(PROJECT)


async def test_what_is_proposed_first_hides_nothing_that_was_pending_before(
    world: World, workspace: MemoryWorkspace
) -> None:
    engine = world.engine
    later = Reviews(engine.store, engine.runs, engine.sandboxes, engine.settings.review)
    await world.said(await later.reject(workspace, Choice(path=NEW)))
    assert [len(each.pending) for each in later.pending(PROJECT)] == [2]
