"""A process of its own that builds an app and tells each event that a client sees."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from action_world import a_world
from builders import Builders

from forge_lsp import events
from forge_lsp.actions.apps import app_of, app_workspace
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.late import Late
from forge_lsp.ports.model import Model


async def main(home: Path, app_id: str) -> None:
    async def get_model() -> Model:
        return Builders()

    async with a_world(home) as world:
        engine = replace(world.engine, model=Late(get_model))
        app = await app_of(engine, "ci", app_id)
        request = BuildRequest(app.prompt, app_workspace(engine, app), account="ci", app=app)
        run = await build(engine, request)
        sys.stdout.write(f"{run.id}\n")
        async for recorded in engine.runs.subscribe(run.id):
            sys.stdout.write(f"{recorded.seq} {events.encode(recorded.event).decode()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
