"""A build whose server is killed at any moment: nothing that was seen is lost, and it goes on."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nursery
import pytest
from action_world import World, a_world, ending
from builders import Builders

from forge_lsp import events
from forge_lsp.actions.apps import app_of, app_workspace, new_app
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.build.resuming import earlier
from forge_lsp.actions.late import Late
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Model

PROCESS = Path(__file__).parent / "build_process.py"
MOMENTS = 50
WAIT_S = 60


async def killed_after(home: Path, app_id: str, lines: int) -> tuple[str, Mapping[int, str]]:
    """Build in a process that is killed once it has told so many events; gives the run's id and
    all that was seen of it."""
    process = await nursery.start(PROCESS, str(home), app_id)
    seen: dict[int, str] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            run_id = (await process.stdout.readline()).decode().strip()
            while line := await process.stdout.readline():
                seq, _, event = line.decode().rstrip("\n").partition(" ")
                seen[int(seq)] = event
                if len(seen) == lines:
                    process.kill()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # The last line may have been cut by the kill.
    whole = {seq: event for seq, event in seen.items() if event.endswith("}")}
    return run_id, whole


async def goes_on(world: World, app_id: str, run_id: str) -> None:
    async def get_model() -> Model:
        return Builders()

    engine = replace(world.engine, model=Late(get_model))
    asked = (await earlier(engine, run_id)).asked
    app = await app_of(engine, "ci", app_id)
    request = BuildRequest(
        asked.prompt, app_workspace(engine, app), account="ci", app=app, resumes=run_id
    )
    said = await world.said(await build(engine, request))
    assert ending(said).outcome == "completed"


async def files_of(world: World, app_id: str) -> dict[ProjectPath, bytes]:
    return dict(await world.engine.store.app_files(app_id))


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_after_a_kill_at_any_moment_all_that_was_seen_is_there_and_it_goes_on(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as world:
        whole = await new_app(world.engine, "ci", "A landing page.", None, None)
    run_id, seen = await killed_after(tmp_path, whole.id, 0)
    count = len(seen)
    assert count > 20
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    interrupted = 0
    for _ in range(MOMENTS):
        moment = chance.randrange(1, count)
        told = f"seed {seed}, killed after {moment} of {count} events"
        async with a_world(tmp_path) as world:
            app = await new_app(world.engine, "ci", "A landing page.", None, None)
        run_id, seen = await killed_after(tmp_path, app.id, moment)
        async with a_world(tmp_path) as world:
            await world.engine.runs.end_orphans()
            recorded = [each async for each in world.engine.runs.subscribe(run_id)]
            kept = {each.seq: events.encode(each.event).decode() for each in recorded}
            assert {seq: kept.get(seq) for seq in seen} == seen, told
            last = recorded[-1].event
            assert isinstance(last, events.RunFinished), told
            if last.outcome == "completed":
                # It was quicker than the kill.
                continue
            assert (last.outcome, last.code) == ("failed", "interrupted"), told
            interrupted += 1
            await goes_on(world, app.id, run_id)
            expected = await files_of(world, whole.id)
            assert await files_of(world, app.id) == expected, told
    print(f"{interrupted} of {MOMENTS} kills came in time")
    assert interrupted > MOMENTS // 2
