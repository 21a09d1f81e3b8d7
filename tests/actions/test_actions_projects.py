"""Projects that are talked with, and the fragments that come of it, edited from anywhere."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from action_world import DONE, World, a_world, ending, file, until
from memory_workspace import MemoryWorkspace
from scripted import Reply

from forge_lsp.actions.fragment_edits import (
    FragmentUpdate,
    SandboxUnwritable,
    restore_fragment,
    update_fragment,
)
from forge_lsp.actions.fragments import fragment_of
from forge_lsp.actions.projects import new_project, project_of, send
from forge_lsp.errors import Conflict, InvalidRequest, ModelUnreachable, NotFound, VersionConflict
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord
from forge_lsp.runs import Run

PAGE = ProjectPath.parse("src/Page.tsx")
OTHER = ProjectPath.parse("src/Other.tsx")
FIRST = file("src/Page.tsx", "export const page = 1;\n") + DONE
SECOND = file("src/Other.tsx", "export const other = 2;\n") + DONE
CHOICE = '{"targets": ["src/Page.tsx"], "editType": "ADD_FEATURE", "reason": "", "confidence": 1}'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path, FIRST, SECOND, choices=[CHOICE]) as made:
        yield made


async def begun(world: World, text: str = "A page.") -> tuple[ProjectRecord, FragmentRecord]:
    asked = await new_project(world.engine, "ci", text)
    assert ending(await world.said(asked.run)).outcome == "completed"
    fragment = await world.engine.store.newest_fragment(asked.project.id)
    assert fragment is not None
    return asked.project, fragment


async def test_a_message_is_answered_with_a_fragment(world: World) -> None:
    project, fragment = await begun(world)
    answer, asked = await world.engine.store.project_messages(project.id, limit=9)
    assert (asked.role, asked.text, asked.fragment_id) == ("user", "A page.", None)
    assert (answer.role, answer.type, answer.fragment_id) == ("assistant", "RESULT", fragment.id)
    assert (fragment.message_id, fragment.title) == (answer.id, "A page.")
    assert (fragment.sandbox_id, fragment.sandbox_url) == ("sb_1", "http://127.0.0.1/sb_1/")
    files = await world.engine.store.fragment_files(fragment.id)
    assert files[PAGE] == b"export const page = 1;\n"
    assert ProjectPath.parse("index.html") in files
    assert await project_of(world.engine, "ci", project.id)
    with pytest.raises(NotFound):
        await project_of(world.engine, "other", project.id)


async def test_a_follow_up_goes_on_from_the_newest_fragment_and_what_was_said(
    world: World,
) -> None:
    project, first = await begun(world)
    asked = await send(world.engine, project, "And another.")
    assert ending(await world.said(asked.run)).outcome == "completed"
    second = await world.engine.store.newest_fragment(project.id)
    assert second is not None
    assert second.id != first.id
    files = await world.engine.store.fragment_files(second.id)
    assert (files[PAGE], files[OTHER]) == (
        b"export const page = 1;\n",
        b"export const other = 2;\n",
    )
    texts = [each.text for each in world.model.asked_for_code[-1].messages]
    assert texts[:2] == [
        "A page.",
        "Changed: "
        + ", ".join(["index.html", "package.json", "src/App.tsx", "src/Page.tsx", "vite.config.ts"])
        + ".",
    ]
    assert "And another." in texts[-1]


async def test_a_message_that_fails_is_answered_with_the_error(tmp_path: Path) -> None:
    failure = Reply(failure=ModelUnreachable("No answer."))
    async with a_world(tmp_path, failure) as world:
        asked = await new_project(world.engine, "ci", "A page.")
        assert ending(await world.said(asked.run)).outcome == "failed"
        answer, _ = await world.engine.store.project_messages(asked.project.id, limit=9)
        assert (answer.type, answer.fragment_id) == ("ERROR", None)
        assert "No answer." in answer.text


async def test_one_message_is_answered_at_a_time(world: World) -> None:
    project, _ = await begun(world)

    async def work(run: Run) -> None:
        del run
        await asyncio.Event().wait()

    other = await world.engine.runs.start(work, kind="generate", title="x", project=project.id)
    with pytest.raises(Conflict, match="still answers"):
        await send(world.engine, project, "And another.")
    await world.engine.runs.cancel(other.id)
    await other.finished()
    for text in ("", " ", "x" * 300_000):
        with pytest.raises(InvalidRequest):
            await send(world.engine, project, text)


async def test_an_edit_goes_into_sandbox_and_fragment_and_makes_a_version(world: World) -> None:
    _, fragment = await begun(world)
    update = FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci", project=fragment.project)
    merged = await update_fragment(world.engine, update)
    assert (merged.version, merged.updated_at > fragment.updated_at) == (2, True)
    assert world.provider.made[0].contents["src/Page.tsx"] == b"mine\n"
    assert (await world.engine.store.fragment_files(fragment.id))[PAGE] == b"mine\n"
    back = await restore_fragment(world.engine, "ci", fragment.id, 1)
    assert back.version == 3
    assert world.provider.made[0].contents["src/Page.tsx"] == b"export const page = 1;\n"
    with pytest.raises(NotFound):
        await restore_fragment(world.engine, "ci", fragment.id, 4)


@pytest.mark.parametrize(
    "wrong", [{"account": "other"}, {"project": "proj_other"}, {"fragment_id": "frag_none"}]
)
async def test_another_accounts_or_projects_fragment_is_not_there(
    world: World, wrong: dict[str, str]
) -> None:
    _, fragment = await begun(world)
    update = FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci", project=fragment.project)
    with pytest.raises(NotFound):
        await update_fragment(world.engine, replace(update, **wrong))
    assert (await fragment_of(world.engine, "ci", fragment.id)).version == 1


async def test_an_edit_for_an_older_version_changes_nothing(world: World) -> None:
    _, fragment = await begun(world)
    update = FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci", expected=1)
    await update_fragment(world.engine, update)
    with pytest.raises(VersionConflict):
        await update_fragment(world.engine, replace(update, files={PAGE: b"late\n"}))
    assert world.provider.made[0].contents["src/Page.tsx"] == b"mine\n"


async def test_what_the_sandbox_does_not_take_is_not_kept(world: World) -> None:
    _, fragment = await begun(world)
    world.provider.made[0].refuses = {"src/Page.tsx"}
    update = FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci")
    with pytest.raises(SandboxUnwritable, match=r"src/Page\.tsx"):
        await update_fragment(world.engine, update)
    assert (await fragment_of(world.engine, "ci", fragment.id)).version == 1


async def test_a_sandbox_that_has_died_is_made_anew_and_told(world: World) -> None:
    _, fragment = await begun(world)
    await world.provider.made[0].kill()
    await update_fragment(world.engine, FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci"))
    found = await fragment_of(world.engine, "ci", fragment.id)
    assert (found.sandbox_id, found.sandbox_url) == ("sb_2", "http://127.0.0.1/sb_2/")
    assert world.provider.made[1].contents["src/Page.tsx"] == b"mine\n"


async def test_without_any_sandbox_it_is_a_conflict(world: World) -> None:
    _, fragment = await begun(world)
    await world.engine.store.tell_sandbox(fragment.id, None, None)
    update = FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci")
    with pytest.raises(Conflict, match="Missing sandbox Id"):
        await update_fragment(world.engine, update)
    given = await update_fragment(world.engine, replace(update, sandbox_id="sb_1"))
    assert given.version == 2


async def test_of_fifty_edits_at_once_no_file_is_lost(world: World) -> None:
    _, fragment = await begun(world)
    paths = [ProjectPath.parse(f"src/file{number}.ts") for number in range(50)]
    await asyncio.gather(
        *(
            update_fragment(world.engine, FragmentUpdate(fragment.id, {path: b"x"}, "ci"))
            for path in paths
        )
    )
    assert set(paths) < set(await world.engine.store.fragment_files(fragment.id))
    assert set(paths) < set(world.provider.made[0].contents)


async def test_an_edit_reaches_the_workspace_that_is_open_here(world: World) -> None:
    _, fragment = await begun(world)
    page = b"export const page = 1;\n"
    workspace = MemoryWorkspace({"src/Page.tsx": page}, project=fragment.project)
    world.engine.workspaces[workspace.project] = workspace
    await update_fragment(world.engine, FragmentUpdate(fragment.id, {PAGE: b"mine\n"}, "ci"))
    await until(lambda: workspace.disk["src/Page.tsx"] == b"mine\n")
    await until(lambda: not world.engine.runs.under_way)
