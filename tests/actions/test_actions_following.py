"""Edits of fragments reach every process that shows them, once, and undo nothing of anybody's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from action_world import DONE, PROJECT, World, a_world, edit, ending, file, until
from memory_workspace import MemoryWorkspace
from scripted import Reply, ScriptedModel

from forge_lsp.actions import followed
from forge_lsp.actions.fragment_edits import FragmentUpdate, update_fragment
from forge_lsp.actions.fragment_sync import note_files
from forge_lsp.actions.generate import generate
from forge_lsp.actions.lacking import MERGED, OUTSIDE, SAVED
from forge_lsp.actions.late import Late
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.review import Choice
from forge_lsp.errors import Conflict, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Model, ModelEvent, ModelRequest
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import Run

PAGE = ProjectPath.parse("src/Page.tsx")
OTHER = ProjectPath.parse("src/Other.tsx")
FIRST = b"one\ntwo\nthree\nfour\nfive\n"
EDITED = FIRST.replace(b"five", b"FIVE")
REPLY = file(PAGE, FIRST.decode()) + DONE
CHOICE = '{"targets": ["src/Page.tsx"], "editType": "ADD_FEATURE", "reason": "", "confidence": 1}'
WAIT_S = 20


@dataclass
class Heard:
    """An audience that remembers what it was told."""

    shows: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    collisions: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def found(self, project: str) -> None:
        del project

    def shown(self, project: str, paths: Collection[ProjectPath]) -> None:
        del project
        self.shows.append(tuple(paths))

    def collided(self, project: str, change_set_id: str, paths: Collection[ProjectPath]) -> None:
        del project, change_set_id
        self.collisions.append(tuple(paths))


@dataclass
class Desk:
    """An editor's process: a world, the workspace that it has open, and what it hears."""

    world: World
    workspace: MemoryWorkspace
    heard: Heard

    @property
    def store(self) -> Store:
        return self.world.engine.store

    async def fragment(self) -> FragmentRecord:
        found = await self.store.newest_fragment(PROJECT)
        assert found is not None
        return found

    async def files(self) -> dict[str, bytes]:
        found = await self.fragment()
        return {
            str(path): each for path, each in (await self.store.fragment_files(found.id)).items()
        }

    async def reasons(self) -> list[str]:
        found = await self.fragment()
        return [each.reason for each in await self.store.fragment_versions(found.id)]

    async def edit(self, content: bytes | None, path: ProjectPath = PAGE) -> FragmentRecord:
        """Edit the fragment through this process."""
        update = FragmentUpdate((await self.fragment()).id, {path: content}, "owner")
        return await update_fragment(self.world.engine, update)

    async def save(self, content: bytes) -> None:
        """As an editor's save does it."""
        self.workspace.documents.pop(PAGE, None)
        self.workspace.disk[PAGE] = content
        known = self.world.engine.following.known
        await note_files(self.store, PROJECT, {PAGE: content}, SAVED, known)

    async def fragment_becomes(self, content: bytes) -> None:
        async def become() -> bool:
            return (await self.files()).get(PAGE) == content

        await eventually(become)

    async def has_taken(self, version: int) -> None:
        """Wait until all that is to be done for that version is done."""

        async def taken() -> bool:
            versions = (await self.store.taken_versions(PROJECT)).values()
            return max(versions, default=0) >= version and not self.world.engine.runs.under_way

        await eventually(taken)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if await check():
                return
            await asyncio.sleep(0.01)


async def a_desk(stack: AsyncExitStack, home: Path, workspace: MemoryWorkspace) -> Desk:
    world = await stack.enter_async_context(a_world(home, REPLY))
    world.engine.workspaces[PROJECT] = workspace
    heard = Heard()
    world.engine.following.audience.append(heard)
    world.engine.following.follow(world.engine, PROJECT)
    return Desk(world, workspace, heard)


async def beside(stack: AsyncExitStack, home: Path, desk: Desk) -> Desk:
    """Another editor, which has the same folder open."""
    workspace = MemoryWorkspace({})
    workspace.disk = desk.workspace.disk
    second = await a_desk(stack, home, workspace)
    await until(lambda: bool(second.world.engine.following.known.taken))
    return second


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as closing:
        yield closing


@pytest.fixture
async def desk(stack: AsyncExitStack, tmp_path: Path) -> Desk:
    """Where a page was generated; it waits for review."""
    made = await a_desk(stack, tmp_path, MemoryWorkspace({"old.ts": b"1\n"}))
    await made.world.work_in(made.workspace)
    return made


@pytest.fixture
async def elsewhere(stack: AsyncExitStack, tmp_path: Path, desk: Desk) -> World:
    """Another process on the same database, with no editor."""
    return await stack.enter_async_context(a_world(tmp_path))


async def accept(desk: Desk) -> None:
    run = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    await run.finished()
    assert desk.workspace.text(PAGE) == FIRST


async def patch(world: World, desk: Desk, content: bytes | None) -> FragmentRecord:
    update = FragmentUpdate((await desk.fragment()).id, {PAGE: content}, "owner")
    return await update_fragment(world.engine, update)


async def test_an_edit_reaches_workspace_and_sandbox_of_another_process(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    merged = await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)
    (sandbox,) = desk.world.provider.made
    await until(lambda: sandbox.contents[PAGE] == EDITED)
    await desk.has_taken(merged.version)
    assert elsewhere.provider.made == []
    assert merged.sandbox_url == sandbox.url
    assert desk.heard.shows == [(PAGE,)]
    assert await desk.reasons() == ["Edited", "Generated"]


async def test_what_is_typed_meanwhile_stays_and_the_fragment_holds_both(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    desk.workspace.type_into(PAGE, b"one", b"ONE")
    await patch(elsewhere, desk, EDITED)
    both = EDITED.replace(b"one", b"ONE")
    await until(lambda: desk.workspace.text(PAGE) == both)
    await desk.fragment_becomes(both)
    (sandbox,) = desk.world.provider.made
    await until(lambda: sandbox.contents[PAGE] == both)


async def test_what_waits_for_review_is_edited_there(desk: Desk, elsewhere: World) -> None:
    await patch(elsewhere, desk, EDITED)
    (sandbox,) = desk.world.provider.made
    await until(lambda: sandbox.contents[PAGE] == EDITED)
    await until(lambda: desk.world.pending[PAGE] == EDITED)
    assert desk.workspace.text(PAGE) is None
    run = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    await run.finished()
    assert desk.workspace.text(PAGE) == EDITED
    await desk.has_taken(2)
    assert (await desk.fragment()).version == 2


async def test_what_was_edited_and_then_rejected_comes_back_nowhere(
    desk: Desk, elsewhere: World
) -> None:
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.world.pending[PAGE] == EDITED)
    run = await desk.world.engine.reviews.reject(desk.workspace, Choice())
    await run.finished()
    await desk.has_taken(3)
    assert desk.workspace.text(PAGE) is None
    assert PAGE not in await desk.files()
    assert PAGE not in desk.world.provider.made[0].contents


async def test_an_edit_that_collides_waits_for_review_and_overwrites_nothing(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    desk.workspace.type_into(PAGE, b"five", b"mine")
    desk.workspace.type_into(PAGE, b"one", b"ONE")
    mine = desk.workspace.text(PAGE)
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.heard.collisions == [(PAGE,)])
    assert desk.workspace.text(PAGE) == mine
    proposed = EDITED.replace(b"one", b"ONE")
    assert desk.world.pending == {PAGE: proposed}
    await desk.fragment_becomes(proposed)
    assert desk.world.provider.made[0].contents[PAGE] == proposed
    run = await desk.world.engine.reviews.reject(desk.workspace, Choice())
    await run.finished()
    assert mine is not None
    await desk.fragment_becomes(mine)
    assert desk.workspace.text(PAGE) == mine
    assert desk.heard.collisions == [(PAGE,)]


async def test_a_file_that_was_deleted_by_hand_is_asked_about(desk: Desk, elsewhere: World) -> None:
    await accept(desk)
    desk.workspace.disk.pop(PAGE)
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.heard.collisions == [(PAGE,)])
    assert desk.workspace.text(PAGE) is None
    assert desk.world.pending == {PAGE: EDITED}


async def test_what_the_editor_can_not_write_waits_for_review(desk: Desk, elsewhere: World) -> None:
    await accept(desk)
    desk.workspace.read_only.add(PAGE)
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.heard.collisions == [(PAGE,)])
    assert desk.workspace.text(PAGE) == FIRST
    assert desk.world.pending == {PAGE: EDITED}
    desk.workspace.read_only.clear()
    run = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    await run.finished()
    assert desk.workspace.text(PAGE) == EDITED


class BusyFolder(MemoryWorkspace):
    """Another server is changing the folder at the first try."""

    is_busy = True

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        if self.is_busy:
            self.is_busy = False
            raise Conflict("Another editor is changing this folder.")
        return await super().apply(label, edits)


async def test_an_edit_that_could_not_be_brought_waits_for_review(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    busy = BusyFolder(desk.workspace.disk)
    desk.world.engine.workspaces[PROJECT] = busy
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.heard.collisions == [(PAGE,)])
    assert desk.world.pending == {PAGE: EDITED}
    run = await desk.world.engine.reviews.accept(busy, Choice())
    await run.finished()
    assert busy.text(PAGE) == EDITED


async def test_a_file_that_was_deleted_elsewhere_goes(desk: Desk, elsewhere: World) -> None:
    await accept(desk)
    await patch(elsewhere, desk, None)
    await until(lambda: desk.workspace.text(PAGE) is None)
    await until(lambda: PAGE not in desk.world.provider.made[0].contents)


async def test_a_save_makes_a_version_and_echoes_nowhere(
    stack: AsyncExitStack, tmp_path: Path, desk: Desk
) -> None:
    await accept(desk)
    second = await beside(stack, tmp_path, desk)
    await desk.save(EDITED)
    for each in (desk, second):
        engine, fragment = each.world.engine, await each.fragment()
        await until(lambda engine=engine, key=fragment.id: engine.following.known.taken[key] == 2)
        await until(lambda engine=engine: not engine.runs.under_way)
    assert desk.workspace.labels == ["Forge: Make a page."]
    assert second.workspace.labels == []
    assert await desk.reasons() == [SAVED, "Generated"]


async def test_two_editors_on_one_folder_both_get_it_and_neither_undoes_the_other(
    stack: AsyncExitStack, tmp_path: Path, desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    second = await beside(stack, tmp_path, desk)
    second.workspace.documents[PAGE] = FIRST
    desk.workspace.documents[PAGE] = FIRST
    second.workspace.type_into(PAGE, b"two", b"TWO")
    desk.workspace.type_into(PAGE, b"one", b"ONE")
    await patch(elsewhere, desk, EDITED)
    await until(lambda: second.workspace.text(PAGE) == EDITED.replace(b"two", b"TWO"))
    await until(lambda: desk.workspace.text(PAGE) == EDITED.replace(b"one", b"ONE"))
    assert desk.heard.collisions == second.heard.collisions == []
    await until(
        lambda: desk.world.provider.made[0].contents[PAGE] == EDITED.replace(b"one", b"ONE")
    )


async def test_what_is_rejected_in_another_editor_leaves_the_sandbox_here(
    stack: AsyncExitStack, tmp_path: Path, desk: Desk
) -> None:
    second = await beside(stack, tmp_path, desk)
    run = await second.world.engine.reviews.reject(second.workspace, Choice())
    await run.finished()
    await until(lambda: PAGE not in desk.world.provider.made[0].contents)


async def test_an_editor_that_has_not_loaded_what_another_saved_undoes_nothing_of_it(
    stack: AsyncExitStack, tmp_path: Path, desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    second = await beside(stack, tmp_path, desk)
    second.workspace.documents[PAGE] = FIRST
    saved = FIRST.replace(b"one", b"ONE")
    await desk.save(saved)
    await desk.has_taken(2)
    await patch(elsewhere, desk, saved.replace(b"five", b"FIVE"))
    both = EDITED.replace(b"one", b"ONE")
    await until(lambda: second.workspace.text(PAGE) == both)
    await until(lambda: desk.workspace.text(PAGE) == both)
    assert (await desk.files())[PAGE] == both
    assert desk.heard.collisions == second.heard.collisions == []


async def test_a_save_from_before_an_edit_came_undoes_nothing_of_it(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    await desk.has_taken(0)
    desk.workspace.may_apply.clear()
    await patch(elsewhere, desk, EDITED)
    await desk.save(FIRST.replace(b"one", b"ONE"))
    both = EDITED.replace(b"one", b"ONE")
    assert (await desk.files())[PAGE] == both
    assert (await desk.reasons())[0] == MERGED
    desk.workspace.may_apply.set()
    await until(lambda: desk.workspace.text(PAGE) == both)
    await desk.fragment_becomes(both)


async def test_what_was_edited_while_no_editor_was_open_comes_at_the_next_start(
    tmp_path: Path,
) -> None:
    workspace = MemoryWorkspace({"old.ts": b"1\n"})
    async with AsyncExitStack() as stack:
        desk = await a_desk(stack, tmp_path, workspace)
        await desk.world.work_in(workspace)
        await accept(desk)
        await desk.edit(EDITED)
        await desk.has_taken(2)
    async with a_world(tmp_path) as world:
        world.engine.workspaces.clear()
        desk = Desk(world, workspace, Heard())
        await desk.edit(b"zero\n" + EDITED)
    assert workspace.text(PAGE) == EDITED
    for labels in (3, 3):
        async with AsyncExitStack() as stack:
            desk = await a_desk(stack, tmp_path, workspace)
            await desk.has_taken(3)
            assert workspace.text(PAGE) == b"zero\n" + EDITED
            assert len(workspace.labels) == labels
            workspace.disk[PAGE] = b"mine\n"
            workspace.documents.clear()
            await desk.save(b"mine\n")
            workspace.disk[PAGE] = b"zero\n" + EDITED
            await desk.save(b"zero\n" + EDITED)


@pytest.mark.parametrize("is_decided", [True, False])
async def test_what_was_changed_while_nobody_followed_is_in_the_fragment_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_decided: bool
) -> None:
    workspace = MemoryWorkspace({"old.ts": b"1\n"})
    async with AsyncExitStack() as stack:
        desk = await a_desk(stack, tmp_path, workspace)
        await desk.world.work_in(workspace)
        if is_decided:
            await accept(desk)
            workspace.disk[PAGE] = EDITED
    # It is long ago.
    monkeypatch.setattr(followed, "SETTLED_MS", -1)
    async with AsyncExitStack() as stack:
        desk = await a_desk(stack, tmp_path, workspace)
        if is_decided:
            await desk.fragment_becomes(EDITED)
            assert (await desk.reasons())[0] == OUTSIDE
        else:
            await desk.edit(EDITED)
            await until(lambda: desk.world.pending[PAGE] == EDITED)
            assert (await desk.files())[PAGE] == EDITED


async def test_an_edit_of_an_older_fragment_comes_too(desk: Desk, elsewhere: World) -> None:
    await accept(desk)
    older = await desk.fragment()
    desk.world.model.replies.append(file(OTHER, "x\n") + DONE)
    await desk.world.work_in(desk.workspace, is_edit=False)
    update = FragmentUpdate(older.id, {PAGE: EDITED}, "owner")
    await update_fragment(elsewhere.engine, update)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)


async def test_an_edit_is_made_however_many_runs_are_under_way(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)

    async def work(run: Run) -> None:
        del run
        await asyncio.Event().wait()

    for _ in range(16):
        await desk.world.engine.runs.start(work, kind="edit", title="x", project=PROJECT)
    await desk.edit(EDITED)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)


async def test_the_address_is_that_of_the_sandbox_that_was_made_anew(desk: Desk) -> None:
    engine = desk.world.engine
    await desk.world.provider.made[0].kill()
    sandbox = await engine.sandboxes.ensure("owner", PROJECT, desk.workspace, lambda _: None)

    async def told() -> bool:
        return (await desk.fragment()).sandbox_url == sandbox.url

    await eventually(told)
    assert (await desk.fragment()).version == 1


async def test_a_sandbox_that_died_in_another_process_is_made_anew_there(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    await desk.world.provider.made[0].kill()
    await patch(elsewhere, desk, EDITED)
    await until(lambda: len(desk.world.provider.made) == 2)
    await until(lambda: desk.world.provider.made[1].contents.get(PAGE) == EDITED)
    assert elsewhere.provider.made == []

    async def told() -> bool:
        return (await desk.fragment()).sandbox_id == "sb_2"

    await eventually(told)


async def test_a_workspace_gets_an_edit_though_no_sandbox_can_be_made(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    await desk.world.provider.made[0].kill()
    desk.world.provider.broken = SandboxFailed("There is no room.")
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)
    desk.world.provider.broken = None


async def test_a_sandbox_whose_process_has_ended_is_made_anew_by_who_edits(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        desk = await a_desk(stack, tmp_path, MemoryWorkspace({"old.ts": b"1\n"}))
        await desk.world.work_in(desk.workspace)
    async with a_world(tmp_path) as world:
        later = Desk(world, MemoryWorkspace({}), Heard())
        await later.edit(EDITED)
        assert world.provider.made[0].contents[PAGE] == EDITED


class HeldModel(ScriptedModel):
    """Answers requests for code once it may."""

    def __init__(self, replies: list[Reply | str], choices: list[Reply | str]) -> None:
        super().__init__(replies, choices)
        self.may_go_on = asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        async with aclosing(super().stream(request)) as events:
            async for event in events:
                if request.purpose == "code":
                    await self.may_go_on.wait()
                yield event


async def generating(desk: Desk, model: HeldModel) -> Run:
    """Begin to have the page's second line changed; the model holds on in the middle of it."""

    async def get() -> Model:
        return model

    engine = replace(desk.world.engine, model=Late(get))
    request = GenerateRequest(
        "Shout.", desk.workspace, is_edit=True, workspace=desk.workspace, project=PROJECT
    )
    run = await generate(engine, request)
    await until(lambda: bool(model.asked_for_code))
    return run


async def test_an_edit_during_a_generation_and_the_generation_are_both_there(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    model = HeldModel([edit(PAGE, "two", "TWO") + DONE], [CHOICE])
    run = await generating(desk, model)
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)
    model.may_go_on.set()
    assert ending(await desk.world.said(run)).outcome == "completed"
    accepting = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    await accepting.finished()
    both = EDITED.replace(b"two", b"TWO")
    assert desk.workspace.text(PAGE) == both
    await desk.fragment_becomes(both)
    assert desk.world.provider.made[0].contents[PAGE] == both


async def test_an_edit_during_a_generation_that_changes_the_same_line_is_not_overwritten(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    model = HeldModel([edit(PAGE, "five", "5") + DONE], [CHOICE])
    run = await generating(desk, model)
    await patch(elsewhere, desk, EDITED)
    await until(lambda: desk.workspace.text(PAGE) == EDITED)
    model.may_go_on.set()
    await desk.world.said(run)
    accepting = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    told = ending(await desk.world.said(accepting))
    assert (told.outcome, PAGE in told.message) == ("failed", True)
    assert desk.workspace.text(PAGE) == EDITED
    assert desk.world.pending == {PAGE: FIRST.replace(b"five", b"5")}


async def test_an_edit_of_an_older_answer_joins_what_a_newer_one_proposes(
    desk: Desk, elsewhere: World
) -> None:
    await accept(desk)
    older = await desk.fragment()
    model = HeldModel([edit(PAGE, "two", "TWO") + DONE], [CHOICE])
    model.may_go_on.set()
    await desk.world.said(await generating(desk, model))
    update = FragmentUpdate(older.id, {PAGE: EDITED}, "owner")
    await update_fragment(elsewhere.engine, update)
    both = EDITED.replace(b"two", b"TWO")
    await until(lambda: desk.world.pending == {PAGE: both})
    await desk.fragment_becomes(both)
    await until(lambda: desk.world.provider.made[0].contents[PAGE] == both)
    accepting = await desk.world.engine.reviews.accept(desk.workspace, Choice())
    await accepting.finished()
    assert desk.workspace.text(PAGE) == both
