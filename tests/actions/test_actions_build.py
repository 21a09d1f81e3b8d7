"""Builds: plan, parallel files, review; what fails in the middle, and how another goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from action_world import World, a_world, applied, ending, file, of, until
from builders import FILES, Builders, plan
from memory_sandbox import PICTURE
from memory_workspace import MemoryWorkspace
from msgspec.structs import replace as replace_struct

from forge_lsp import events
from forge_lsp.actions.apps import app_of, app_workspace, fork, new_app, rollback, write_files
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.build.resuming import earlier, resumable
from forge_lsp.actions.choices import Choice
from forge_lsp.actions.late import Late
from forge_lsp.errors import (
    Conflict,
    Gone,
    InvalidRequest,
    ModelBusy,
    ModelUnreachable,
    NotFound,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.ports.model import Model
from forge_lsp.runs import Run
from forge_lsp.settings import BuildSettings, RunSettings

HERO = ProjectPath.parse("src/Hero.tsx")


@pytest.fixture
def model() -> Builders:
    return Builders()


@pytest.fixture
async def world(tmp_path: Path, model: Builders) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:

        async def get_model() -> Model:
            return model

        yield replace(made, engine=replace(made.engine, model=Late(get_model)))


async def start(
    world: World, workspace: MemoryWorkspace | None = None, *, resumes: str = ""
) -> Run:
    request = BuildRequest("A landing page.", workspace or MemoryWorkspace({}), resumes=resumes)
    return await build(world.engine, request)


async def built(world: World, workspace: MemoryWorkspace | None = None) -> list[events.Event]:
    return await world.said(await start(world, workspace))


def written(said: list[events.Event]) -> dict[str, str | None]:
    return {each.path: each.content for each in of(events.FileFinished, said) if each.path in FILES}


async def finished_files(world: World, run: Run, count: int) -> None:
    """Wait until so many files of the plan are whole."""
    async with asyncio.timeout(20), aclosing(world.engine.runs.subscribe(run.id)) as journal:
        async for recorded in journal:
            count -= len(written([recorded.event]))
            if not count:
                return


async def test_an_app_is_planned_written_reviewed_and_ready(world: World, model: Builders) -> None:
    said = await built(world)
    (planned,) = of(events.Planned, said)
    assert planned.summary == "A landing page."
    assert [each.path for each in planned.manifest] == list(FILES)
    assert planned.design_spec is not None
    assert written(said) == FILES
    assert of(events.Reviewed, said) == [events.Reviewed("Looks good.")]
    assert of(events.PackageInstalled, said)
    assert all(applied(said, "sandbox").values())
    last = ending(said)
    assert (last.outcome, last.preview_url) == ("completed", "http://127.0.0.1/sb_1/")
    kinds = [type(each) for each in said]
    assert kinds.index(events.Planned) < kinds.index(events.FileFinished)
    assert kinds.index(events.FileFinished) < kinds.index(events.Reviewed)
    assert set(FILES) <= set(world.pending)
    (asked,) = {each.asked for each in of(events.RunStarted, said)}
    assert asked is not None
    assert asked.prompt == "A landing page."
    assert [each.purpose for each in model.asked] == ["plan", *["code"] * 4, "review"]


async def test_the_first_file_is_begun_alone_and_then_as_many_at_once_as_the_width(
    world: World, model: Builders
) -> None:
    model.waits = set(FILES)
    run = await start(world)
    await until(lambda: model.at_once == 1 and len(model.asked) == 2)
    for _ in range(20):
        await asyncio.sleep(0)
    # Its prefix isn't cached before its reply begins.
    assert model.most_at_once == 1
    model.may_go_on.set()
    assert ending(await world.said(run)).outcome == "completed"
    assert 1 < model.most_at_once <= world.engine.settings.build.width


async def test_all_agents_are_sent_the_same_prefix(world: World, model: Builders) -> None:
    await built(world)
    prefixes = {(each.system, each.context) for each in model.asked if each.purpose == "code"}
    assert len(prefixes) == 1
    ((_, context),) = prefixes
    assert "export default function Hero(): JSX.Element" in context
    (asked,) = model.asked_for("src/App.tsx")
    assert "src/Hero.tsx offers:" in asked.messages[-1].text


async def test_an_agent_that_fails_leaves_the_others_to_go_on(
    world: World, model: Builders
) -> None:
    model.files["src/Hero.tsx"] = ModelUnreachable("No answer.")
    said = await built(world)
    assert {"src/theme.ts", "src/Pricing.tsx", "src/App.tsx"} == set(written(said))
    (problem,) = [each for each in of(events.Problem, said) if each.path == "src/Hero.tsx"]
    assert problem.code == "model_unreachable"
    last = ending(said)
    assert (last.outcome, last.code) == ("failed", "files_missing")
    assert "src/Hero.tsx" in last.message
    assert "src/theme.ts" in world.pending


async def test_the_first_agent_to_fail_keeps_nobody_waiting(world: World, model: Builders) -> None:
    model.files["src/theme.ts"] = ModelBusy("Overloaded.")
    assert set(written(await built(world))) == set(FILES) - {"src/theme.ts"}


@pytest.mark.parametrize("reply", ["", "<done/>\n", '<file path="src/theme.ts">\nhalf'])
async def test_an_agent_that_says_nothing_usable_is_told(
    world: World, model: Builders, reply: str
) -> None:
    model.files["src/theme.ts"] = reply
    said = await built(world)
    assert ending(said).code == "files_missing"
    assert "src/theme.ts" not in written(said)


async def test_an_agent_writes_no_file_of_another_agents(world: World, model: Builders) -> None:
    model.files["src/theme.ts"] = file("src/Hero.tsx", "mine now\n") + file(
        "src/theme.ts", FILES["src/theme.ts"]
    )
    said = await built(world)
    assert written(said) == FILES
    assert [each.path for each in of(events.FileDropped, said)] == ["src/Hero.tsx"]


async def test_a_plan_that_comes_at_the_second_asking_will_do(
    world: World, model: Builders
) -> None:
    model.planned = ["Sorry, what?", plan()]
    assert ending(await built(world)).outcome == "completed"


async def test_no_plan_at_all_is_told_with_what_to_do(world: World, model: Builders) -> None:
    model.planned = ['{"files": []}']
    last = ending(await built(world))
    assert (last.outcome, last.code) == ("failed", "no_plan")
    assert "try again" in last.message
    assert world.pending == {}


async def test_a_plan_with_files_outside_the_project_is_cut(world: World, model: Builders) -> None:
    model.planned = [plan({"../x.ts": ("", ()), "src/theme.ts": ("", ()), ".env": ("", ())})]
    said = await built(world)
    (planned,) = of(events.Planned, said)
    assert [each.path for each in planned.manifest] == ["src/theme.ts"]
    assert [each.code for each in of(events.Problem, said)] == ["plan_cut", "plan_cut"]


async def test_the_reviewer_patches_and_sees_the_page(world: World, model: Builders) -> None:
    model.reviewed = "Nice.\n" + file("src/Hero.tsx", "export default () => <h1>Better</h1>;\n")
    model.waits = {"plan"}
    run = await start(world)
    await until(lambda: bool(world.provider.made))
    world.provider.made[0].picture = PICTURE
    model.may_go_on.set()
    said = await world.said(run)
    assert of(events.Reviewed, said) == [events.Reviewed("Nice.", ("src/Hero.tsx",))]
    assert written(said)["src/Hero.tsx"] == "export default () => <h1>Better</h1>;\n"
    (request,) = [each for each in model.asked if each.purpose == "review"]
    assert "export default function Hero" in request.context
    assert request.picture == PICTURE


async def test_a_reviewers_patch_that_breaks_what_worked_is_dropped(
    world: World, model: Builders
) -> None:
    model.reviewed = "Nice.\n" + file("src/Hero.tsx", "BROKEN\n") + file("src/New.tsx", "new\n")
    said = await built(world)
    assert of(events.Reviewed, said) == [events.Reviewed("Nice.")]
    assert "review_dropped" in [each.code for each in of(events.Problem, said)]
    assert world.pending["src/Hero.tsx"] == FILES["src/Hero.tsx"].encode()
    assert "src/New.tsx" not in world.pending
    (sandbox,) = world.provider.made
    assert sandbox.contents["src/Hero.tsx"] == FILES["src/Hero.tsx"].encode()
    assert "src/New.tsx" not in sandbox.contents
    assert ending(said).outcome == "completed"


async def test_a_reviewer_who_fails_costs_the_review_alone(world: World, model: Builders) -> None:
    model.reviewed = ModelUnreachable("No answer.")
    said = await built(world)
    assert of(events.Reviewed, said) == []
    assert ending(said).outcome == "completed"
    assert written(said) == FILES


async def test_an_app_that_comes_broken_is_mended_before_it_is_reviewed(
    world: World, model: Builders
) -> None:
    model.files["src/Hero.tsx"] = "BROKEN\n"
    model.mended = file("src/Hero.tsx", FILES["src/Hero.tsx"]) + "<done/>\n"
    said = await built(world)
    assert world.pending["src/Hero.tsx"] == FILES["src/Hero.tsx"].encode()
    assert ending(said).outcome == "completed"


@pytest.mark.parametrize("stage", ["plan", "src/theme.ts", "src/App.tsx", "review"])
async def test_a_cancel_in_any_stage_ends_the_run_and_every_request(
    world: World, model: Builders, stage: str
) -> None:
    model.waits = {stage}
    run = await start(world)
    await until(lambda: bool(model.asked_for(stage)))
    await world.engine.runs.cancel(run.id)
    said = await world.said(run)
    assert ending(said).outcome == "cancelled"
    assert model.at_once == 0
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if "coding agent" in name]
    # What was finished is kept, and nothing half of it; a file of the template stays that.
    finished = {path: text for path, text in written(said).items() if path != stage}
    assert {path: FILES[path] for path in finished} == finished
    assert {path: world.pending[path] for path in finished} == {
        path: text.encode() for path, text in finished.items() if text is not None
    }


@pytest.mark.parametrize("prompt", ["", " \n", "x" * 300_000])
async def test_a_prompt_that_can_not_be_taken_is_refused(world: World, prompt: str) -> None:
    with pytest.raises(InvalidRequest):
        await build(world.engine, BuildRequest(prompt, MemoryWorkspace({})))


async def test_a_build_that_was_broken_off_is_gone_on_with_from_its_whole_files(
    world: World, model: Builders
) -> None:
    workspace = MemoryWorkspace({})
    model.waits = {"src/App.tsx"}
    run = await start(world, workspace)
    await finished_files(world, run, 3)
    with pytest.raises(Conflict):
        await earlier(world.engine, run.id)
    await world.engine.runs.cancel(run.id)
    await world.said(run)
    record = await resumable(world.engine, workspace.project)
    assert record is not None
    assert record.id == run.id
    before = await earlier(world.engine, run.id)
    assert before.asked.prompt == "A landing page."
    finished = {path for path, text in before.files.items() if text == FILES[path]}
    assert finished == set(FILES) - {"src/App.tsx"}
    model.asked.clear()
    model.waits = set()
    said = await world.said(await start(world, workspace, resumes=run.id))
    assert ending(said).outcome == "completed"
    assert written(said) == FILES
    # Neither planned nor written anew.
    asked = {each.messages[-1].text.split()[3] for each in model.asked if each.purpose == "code"}
    assert asked == set(FILES) - finished
    assert not model.asked_for("plan")
    assert await resumable(world.engine, workspace.project) is None


async def test_what_is_no_build_is_not_gone_on_with(world: World) -> None:
    with pytest.raises(NotFound):
        await start(world, resumes="run_none")


@pytest.mark.parametrize("answer", [True, False, None], ids=["go on", "stop", "nobody"])
async def test_a_run_past_its_ceiling_asks_and_ends_unless_it_may_go_on(
    world: World, model: Builders, answer: bool | None
) -> None:
    asked: list[float] = []

    async def may_go_on(spent_usd: float) -> bool:
        asked.append(spent_usd)
        return bool(answer)

    model.cost_usd = 1.0
    settings = replace_struct(
        world.engine.settings, runs=RunSettings(max_cost_usd=1.5), build=BuildSettings(width=1)
    )
    world = replace(world, engine=replace(world.engine, settings=settings))
    request = BuildRequest(
        "A page.", MemoryWorkspace({}), may_go_on=None if answer is None else may_go_on
    )
    said = await world.said(await build(world.engine, request))
    if answer:
        assert ending(said).outcome == "completed"
        # Once past the ceiling, and once when as much again was spent.
        assert len(asked) == 2
        return
    # Whoever said no is not asked again.
    assert len(asked) == (0 if answer is None else 1)
    assert ending(said).code == "files_missing"
    assert "cost_ceiling" in {each.code for each in of(events.Problem, said)}
    assert len(model.asked) == 2
    assert written(said)["src/theme.ts"] == FILES["src/theme.ts"]
    assert "src/Hero.tsx" not in written(said)


async def an_app(world: World) -> tuple[AppRecord, list[events.Event], Run]:
    app = await new_app(world.engine, "ci", "A landing page.", None, None)
    workspace = app_workspace(world.engine, app)
    request = BuildRequest("A landing page.", workspace, account="ci", app=app)
    run = await build(world.engine, request)
    return app, await world.said(run), run


async def test_an_app_over_http_needs_no_review_and_its_files_are_kept(world: World) -> None:
    app, said, _ = await an_app(world)
    last = ending(said)
    assert (last.app_id, last.preview_url) == (app.id, "http://127.0.0.1/sb_1/")
    ready = await app_of(world.engine, "ci", app.id)
    assert (ready.status, ready.preview_url) == ("ready", "http://127.0.0.1/sb_1/")
    files = await world.engine.store.app_files(app.id)
    assert files[HERO] == FILES["src/Hero.tsx"].encode()
    assert ProjectPath.parse("index.html") in files
    with pytest.raises(NotFound):
        await app_of(world.engine, "other", app.id)


async def test_a_rollback_puts_back_what_the_run_changed_in_app_and_sandbox(world: World) -> None:
    app, _, run = await an_app(world)
    with pytest.raises(NotFound):
        await rollback(world.engine, "other", run.id)
    undone = await world.said(await rollback(world.engine, "ci", run.id))
    assert ending(undone).outcome == "completed"
    assert await world.engine.store.app_files(app.id) == {}
    (sandbox,) = world.provider.made
    assert "src/Hero.tsx" not in sandbox.contents
    with pytest.raises(Conflict):
        await rollback(world.engine, "ci", run.id)


async def test_a_rollback_names_the_file_that_has_changed_since(world: World) -> None:
    app, _, run = await an_app(world)
    await write_files(world.engine, app, {HERO: b"mine\n"})
    last = ending(await world.said(await rollback(world.engine, "ci", run.id)))
    assert (last.outcome, last.code) == ("failed", "changed_since")
    assert "src/Hero.tsx" in last.message
    assert (await world.engine.store.app_files(app.id))[HERO] == b"mine\n"


async def test_a_rollback_of_what_an_open_workspace_took_over_is_an_undo(world: World) -> None:
    workspace = MemoryWorkspace({})
    run = await start(world, workspace)
    await world.said(run)
    with pytest.raises(NotFound, match="open here"):
        await rollback(world.engine, "owner", run.id)
    world.engine.workspaces[workspace.project] = workspace
    await world.said(await world.engine.reviews.accept(workspace, Choice()))
    assert workspace.disk["src/Hero.tsx"] == FILES["src/Hero.tsx"].encode()
    with pytest.raises(NotFound):
        await rollback(world.engine, "ci", run.id)
    await world.said(await rollback(world.engine, "owner", run.id))
    assert workspace.disk == {}


async def test_a_rollback_comes_too_late_after_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, run = await an_app(world)
    monkeypatch.setattr("forge_lsp.actions.apps.ROLLBACK_WITHIN_MS", -1)
    with pytest.raises(Gone):
        await rollback(world.engine, "ci", run.id)


async def test_what_is_written_over_http_reaches_the_living_sandbox_and_no_fork(
    world: World,
) -> None:
    app, _, _ = await an_app(world)
    copy = await fork(world.engine, app)
    await write_files(world.engine, app, {HERO: b"mine\n"})
    (sandbox,) = world.provider.made
    assert sandbox.contents["src/Hero.tsx"] == b"mine\n"
    files = await world.engine.store.app_files(copy.id)
    assert files[HERO] == FILES["src/Hero.tsx"].encode()
    assert (copy.chat_id != app.chat_id, copy.account) == (True, "ci")
