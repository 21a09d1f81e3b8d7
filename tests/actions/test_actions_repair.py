"""Repair after a generation, and `fix`: what a scripted model mends in a sandbox in memory, where
a line that holds `BROKEN` is an error."""

from pathlib import Path

from action_world import a_world, ending, of
from memory_sandbox import PICTURE
from memory_workspace import MemoryWorkspace

from forge_lsp import events
from forge_lsp.actions.fix import FixRequest, fix
from forge_lsp.actions.screenshots import MOST_KEPT, has_screenshot, keep_screenshot
from forge_lsp.actions.status import status
from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.settings import RepairSettings

BROKEN_APP = '<file path="src/App.tsx">\nexport const a = BROKEN;\n</file>\n<done/>\n'
GOOD_APP = '<file path="src/App.tsx">\nexport const a = 1;\n</file>\n<done/>\n'
WORSE_APP = '<file path="src/App.tsx">\nBROKEN;\nBROKEN;\n</file>\n<done/>\n'
MEND = """<edit path="src/App.tsx">
<<<<<<< SEARCH
export const a = BROKEN;
=======
export const a = 1;
>>>>>>> REPLACE
</edit>
<done/>
"""
PROJECT_FILES = {
    "package.json": b'{"dependencies": {}}\n',
    "vite.config.ts": b"export default {};\n",
    "src/App.tsx": b"export const a = 0;\n",
    "src/old.ts": b"BROKEN;\nBROKEN;\n",
}


def counts(said: list[events.Event]) -> list[int]:
    return [each.errors for each in of(events.DiagnosticsChanged, said)]


async def test_what_a_run_breaks_is_mended_without_being_asked(tmp_path: Path) -> None:
    async with a_world(tmp_path, BROKEN_APP, MEND) as world:
        said = await world.work_in(MemoryWorkspace({}))
        assert ending(said).outcome == "completed"
        assert world.pending["src/App.tsx"] == b"export const a = 1;\n"
        assert counts(said) == [1, 0]
        request = world.model.asked_for_code[1]
        assert "src/App.tsx:1:18 tsc TS1" in request.messages[-1].text
        assert "export const a = BROKEN;" in request.context
        assert not of(events.Problem, said)


async def test_old_errors_are_nobodys_business(tmp_path: Path) -> None:
    async with a_world(tmp_path, GOOD_APP, choices=['{"files": ["src/App.tsx"]}']) as world:
        said = await world.work_in(MemoryWorkspace(PROJECT_FILES), is_edit=True)
        assert ending(said).outcome == "completed"
        assert counts(said) == [2]
        assert len(world.model.asked_for_code) == 1


async def test_it_stops_when_nothing_gets_better_and_says_what_is_left(tmp_path: Path) -> None:
    async with a_world(tmp_path, BROKEN_APP, WORSE_APP) as world:
        said = await world.work_in(MemoryWorkspace({}))
        assert ending(said).outcome == "completed"
        assert counts(said) == [1, 2]
        (problem,) = of(events.Problem, said)
        assert problem.code == "errors_left"
        assert problem.message.startswith("2 errors are left in the app: src/App.tsx:1: ")
        assert world.pending["src/App.tsx"] == b"BROKEN;\nBROKEN;\n"


async def test_it_tries_as_often_as_is_set_at_most(tmp_path: Path) -> None:
    three = '<file path="src/App.tsx">\nBROKEN;\nBROKEN;\nBROKEN;\n</file>\n<done/>\n'
    repair = RepairSettings(attempts=2)
    async with a_world(tmp_path, three, WORSE_APP, BROKEN_APP, repair=repair) as world:
        said = await world.work_in(MemoryWorkspace({}))
        assert counts(said) == [3, 2, 1]
        assert [each.code for each in of(events.Problem, said)] == ["errors_left"]


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    repair = RepairSettings(automatic=False)
    async with a_world(tmp_path, BROKEN_APP, repair=repair) as world:
        said = await world.work_in(MemoryWorkspace({}))
        assert counts(said) == []
        assert world.pending["src/App.tsx"] == b"export const a = BROKEN;\n"


async def test_a_sandbox_that_ends_meanwhile_costs_the_repair_alone(tmp_path: Path) -> None:
    async with a_world(tmp_path, BROKEN_APP) as world:
        workspace = MemoryWorkspace({})
        run = await world.start_in(workspace)
        async for recorded in world.engine.runs.subscribe(run.id):
            if isinstance(recorded.event, events.FileFinished):
                await world.provider.made[0].kill()
        assert world.pending["src/App.tsx"] == b"export const a = BROKEN;\n"


async def test_fix_mends_all_that_the_sandbox_finds(tmp_path: Path) -> None:
    mended = '<file path="src/old.ts">\nexport {};\n</file>\n<done/>\n'
    async with a_world(tmp_path, mended) as world:
        workspace = MemoryWorkspace(PROJECT_FILES)
        said = await world.said(await fix(world.engine, FixRequest(workspace)))
        assert ending(said).outcome == "completed"
        assert world.pending == {"src/old.ts": b"export {};\n"}
        assert counts(said) == [0]
        assert workspace.text("src/old.ts") == b"BROKEN;\nBROKEN;\n"


async def test_fix_mends_what_is_named_and_leaves_the_rest(tmp_path: Path) -> None:
    files = {**PROJECT_FILES, "src/App.tsx": b"export const a = BROKEN;\n"}
    named = SandboxDiagnostic("src/App.tsx", 1, 18, "error", "TS1", "It is broken.", "tsc")
    async with a_world(tmp_path, MEND) as world:
        request = FixRequest(MemoryWorkspace(files), [named])
        said = await world.said(await fix(world.engine, request))
        assert ending(said).outcome == "completed", ending(said)
        assert world.pending == {"src/App.tsx": b"export const a = 1;\n"}
        assert "src/old.ts" not in world.model.asked[0].messages[-1].text


async def test_fix_of_what_only_a_linter_sees_is_one_request(tmp_path: Path) -> None:
    named = SandboxDiagnostic("src/App.tsx", 1, 1, "warning", "no-zero", "Zero.", "eslint")
    edit = MEND.replace("BROKEN", "0")
    async with a_world(tmp_path, edit) as world:
        request = FixRequest(MemoryWorkspace(PROJECT_FILES), [named])
        said = await world.said(await fix(world.engine, request))
        assert ending(said).outcome == "completed"
        assert world.pending["src/App.tsx"] == b"export const a = 1;\n"


async def test_fix_that_does_not_help_says_so_and_keeps_what_was_tried(tmp_path: Path) -> None:
    worse = '<file path="src/old.ts">\nBROKEN;\nBROKEN;\nBROKEN;\n</file>\n<done/>\n'
    async with a_world(tmp_path, worse) as world:
        request = FixRequest(MemoryWorkspace(PROJECT_FILES))
        said = await world.said(await fix(world.engine, request))
        assert (ending(said).outcome, ending(said).code) == ("failed", "not_mended")
        assert world.pending == {"src/old.ts": b"BROKEN;\nBROKEN;\nBROKEN;\n"}


async def test_fix_without_a_problem_does_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        files = {**PROJECT_FILES, "src/old.ts": b"export {};\n"}
        said = await world.said(await fix(world.engine, FixRequest(MemoryWorkspace(files))))
        assert ending(said).outcome == "completed"
        assert not world.model.asked
        assert world.pending == {}


async def test_a_package_that_is_missing_is_installed_and_not_asked_of_the_model(
    tmp_path: Path,
) -> None:
    missing = SandboxDiagnostic(
        "src/App.tsx", 1, 8, "error", "missing-package", "x", "vite", package="clsx"
    )
    async with a_world(tmp_path) as world:
        workspace = MemoryWorkspace({**PROJECT_FILES, "src/old.ts": b"export {};\n"})
        said = await world.said(await fix(world.engine, FixRequest(workspace, [missing])))
        assert ending(said).outcome == "completed"
        assert world.provider.made[0].installed == ["clsx"]
        assert not world.model.asked
        assert list(world.pending) == ["package.json"]


async def test_what_only_the_page_throws_is_mended_if_the_run_brought_it(tmp_path: Path) -> None:
    thrown = {**PROJECT_FILES, "src/old.ts": b"BROKEN:page;\n"}
    app = '<file path="src/App.tsx">\nexport const a = BROKEN:page;\n</file>\n<done/>\n'
    choices = ['{"files": ["src/App.tsx"]}']
    async with a_world(
        tmp_path, app, MEND.replace("BROKEN", "BROKEN:page"), choices=choices
    ) as world:
        workspace = MemoryWorkspace(thrown)
        sandbox = await world.engine.sandboxes.ensure(
            "owner", workspace.project, workspace, lambda message: None
        )
        assert sandbox is world.provider.made[0]
        world.provider.made[0].picture = PICTURE
        said = await world.work_in(workspace, is_edit=True)
        assert ending(said).outcome == "completed"
        # One error was there before, and stays nobody's business.
        assert counts(said) == [2, 1]
        assert world.pending["src/App.tsx"] == b"export const a = 1;\n"
        assert world.provider.made[0].pictures_taken == 3


async def test_pictures_are_kept_as_their_runs_and_not_without_end(tmp_path: Path) -> None:
    async with a_world(tmp_path, GOOD_APP) as world:
        workspace = MemoryWorkspace({})
        run = await world.start_in(workspace)
        await world.said(run)
        sandbox = world.provider.made[0]
        assert not await has_screenshot(world.engine, run)
        assert (await status(world.engine, workspace.project)).sandbox.screenshot is None
        for wrong in (b"GIF89a", b"", PICTURE + bytes(30_000_000)):
            sandbox.picture = wrong
            await keep_screenshot(world.engine, sandbox, run)
        assert not await has_screenshot(world.engine, run)
        folder = world.engine.places.state / "screenshots"
        folder.mkdir(parents=True)
        for number in range(MOST_KEPT + 5):
            (folder / f"run_{number}.png").write_bytes(PICTURE)
        sandbox.picture = PICTURE
        await keep_screenshot(world.engine, sandbox, run)
        kept = (await status(world.engine, workspace.project)).sandbox.screenshot
        assert kept == str(folder / f"{run.id}.png")
        assert len(list(folder.iterdir())) == MOST_KEPT


async def test_no_picture_fails_a_run(tmp_path: Path) -> None:
    async with a_world(tmp_path, GOOD_APP) as world:
        workspace = MemoryWorkspace({})
        run = await world.start_in(workspace)
        await world.said(run)
        sandbox = world.provider.made[0]
        sandbox.picture_failure = SandboxFailed("The browser crashed.")
        await keep_screenshot(world.engine, sandbox, run)
        sandbox.picture_failure, sandbox.picture = None, PICTURE
        world.engine.places.state.mkdir(parents=True, exist_ok=True)
        (world.engine.places.state / "screenshots").write_text("in the way")
        await keep_screenshot(world.engine, sandbox, run)
        assert not await has_screenshot(world.engine, run)


async def test_a_problem_in_hostile_words_is_told_in_few_of_ours(tmp_path: Path) -> None:
    words = "\ud800" + "x" * 100_000
    hostile = SandboxDiagnostic("\ud800", 1, 1, "error", "\ud800", words, "tsc")
    async with a_world(tmp_path, GOOD_APP.replace("App.tsx", "new.ts")) as world:
        request = FixRequest(MemoryWorkspace(PROJECT_FILES), [hostile])
        said = await world.said(await fix(world.engine, request))
        assert ending(said).outcome == "completed"
        assert len(world.model.asked[0].messages[-1].text) < 5_000
