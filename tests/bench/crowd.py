"""Serves many runs to many clients, and tells how late its event loop is meanwhile."""

import asyncio
import math
import sys
from collections import defaultdict
from pathlib import Path

from aiohttp import web

from forge_lsp.http.sse import GenerateRendering, ServerSentEvents
from forge_lsp.http.streams import Streams
from forge_lsp.runs import Run, Runs
from forge_lsp.settings import HttpSettings, Places, RunSettings
from forge_lsp.store.sql import default_url, open_store

from .announced import serve

RUNS = 50
CLIENTS = 200
"""Of one run beside those, each of which has one."""
DELTAS = 150
PACE_S = 0.02
TEXT = "const x = 1;\n"
LOOK_EVERY_S = 0.002
LOOK_S = DELTAS * PACE_S


class Crowd:
    """Runs by the turn; those of a turn begin to speak when somebody asks how late the loop is."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._streams = Streams(HttpSettings())
        self._may_speak: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._starting: dict[tuple[str, str], asyncio.Task[Run]] = {}

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One client of a run, which its first client starts."""
        turn, name = request.match_info["turn"], request.match_info["run"]

        async def speak(run: Run) -> None:
            await self._may_speak[turn].wait()
            for _ in range(DELTAS):
                await run.stream_text(TEXT)
                await asyncio.sleep(PACE_S)

        if (turn, name) not in self._starting:
            start = self._runs.start(speak, kind="bench", title="", project="")
            self._starting[turn, name] = asyncio.create_task(start)
        run = await self._starting[turn, name]
        journal, wire = self._runs.subscribe(run.id), ServerSentEvents(GenerateRendering())
        return await self._streams.send(request, run.id, journal, wire)

    async def lateness(self, request: web.Request) -> web.Response:
        """How late the loop is, in ms, while the turn's runs speak; of no turn, while it idles."""
        if turn := request.query.get("turn"):
            self._may_speak[turn].set()
        late_ms = sorted(await _look())
        percentiles = {
            f"p{percent}": late_ms[math.ceil(len(late_ms) * percent / 100) - 1]
            for percent in (50, 99)
        }
        return web.json_response(percentiles)


async def _look() -> list[float]:
    clock = asyncio.get_running_loop().time
    found: list[float] = []
    end = clock() + LOOK_S
    while (due := clock() + LOOK_EVERY_S) < end:
        await asyncio.sleep(LOOK_EVERY_S)
        found.append((clock() - due) * 1000)
    return found


async def _main(home: Path) -> None:
    store = await open_store(default_url(Places.find(home)))
    settings = RunSettings()
    crowd = Crowd(Runs(store, coalesce_s=settings.coalesce_s, max_active=settings.max_active))
    app = web.Application()
    app.add_routes(
        [web.get("/stream/{turn}/{run}", crowd.stream), web.get("/lateness", crowd.lateness)]
    )
    await serve(app)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
