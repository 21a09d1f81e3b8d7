"""Files of a build by several agents at once, beside one agent after the other."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from forge_lsp.actions.apps import app_workspace, new_app
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.actions.review import Reviews
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.app import open_engine
from forge_lsp.claude import wire
from forge_lsp.events import Planned, Stage
from forge_lsp.settings import BuildSettings, ModelSettings, Places, Secret, Settings
from tests.memory_sandbox import MemoryProvider

from .harness import Measurement, Pair, Row, at_most

FILES = 6
TOKENS_A_FILE = 300
TOKENS_A_SECOND = 75
"""About what large models write."""
TOKENS_A_DELTA = 3
FIRST_TOKEN_S = 0.5
_WANTED = re.compile(r"Write the file (src/\w+\.tsx) of the plan")


async def _answer(request: web.Request) -> web.StreamResponse:
    last = (await request.json())["messages"][-1]["content"][-1]["text"]
    wanted = _WANTED.search(last)
    response = web.StreamResponse(headers=wire.STREAM_HEADERS)
    await response.prepare(request)
    await asyncio.sleep(FIRST_TOKEN_S)
    await response.write(wire.message_start("paced") + wire.block_start())
    if wanted:
        await response.write(wire.text_delta(f'<file path="{wanted[1]}">\n'))
        for _ in range(TOKENS_A_FILE // TOKENS_A_DELTA):
            await asyncio.sleep(TOKENS_A_DELTA / TOKENS_A_SECOND)
            await response.write(wire.text_delta("// a comment\n"))
        await response.write(wire.text_delta("</file>\n<done/>\n"))
    else:
        await response.write(wire.text_delta(_plan()))
    ending = wire.block_stop() + wire.message_delta("end_turn") + wire.message_stop()
    await response.write(ending)
    return response


def _plan() -> str:
    names = [f"src/Part{number}.tsx" for number in range(FILES)]
    files = [
        {"path": name, "purpose": "a part", "exports": ["export const x: number"], "uses": []}
        for name in names
    ]
    return json.dumps({"summary": "Six parts.", "files": files, "packages": []})


@asynccontextmanager
async def _messages_api() -> AsyncGenerator[str]:
    app = web.Application()
    app.add_routes([web.post("/v1/messages", _answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _engine(home: Path, url: str, width: int) -> AsyncGenerator[Engine]:
    settings = Settings(
        model=ModelSettings(provider="anthropic", base_url=url, api_key=Secret("none")),
        build=BuildSettings(width=width, review=False),
    )
    engine = await open_engine(settings, Places.find(home))

    async def provider() -> MemoryProvider:
        return MemoryProvider()

    sandboxes = Sandboxes(Late(provider))
    reviews = Reviews(engine.store, engine.runs, sandboxes, settings.review)
    try:
        yield replace(engine, sandboxes=sandboxes, reviews=reviews)
    finally:
        await engine.close()


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    width = BuildSettings().width
    async with (
        _messages_api() as url,
        _engine(scratch / "wide", url, width) as wide,
        _engine(scratch / "narrow", url, 1) as narrow,
    ):
        yield Pair(lambda: _writing(wide), lambda: _writing(narrow))


async def _writing(engine: Engine) -> Measurement:
    """The seconds from the plan to the last file."""
    app = await new_app(engine, "owner", "Six parts", None, None)
    run = await build(engine, BuildRequest("Six parts", app_workspace(engine, app), app=app))
    began = ended = 0.0
    async for recorded in engine.runs.subscribe(run.id):
        match recorded.event:
            case Planned():
                began = time.perf_counter()
            case Stage(message) if message.startswith("Wrote "):
                ended = time.perf_counter()
            case _:
                pass
    return {"": ended - began}


ROW = Row("agents", "one agent", "s", {"": at_most(1 / 2.5)}, _open, floor_rounds=2)
