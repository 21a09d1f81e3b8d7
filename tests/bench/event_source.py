"""Two ways to stream the same bytes: out of the journal, and by aiohttp alone."""

import asyncio
import sys
from collections import defaultdict
from pathlib import Path

from aiohttp import web

from forge_lsp.events import TextDelta
from forge_lsp.http import sse
from forge_lsp.http.sse import GenerateRendering, ServerSentEvents
from forge_lsp.http.streams import HEADERS, Streams
from forge_lsp.runs import Run, Runs
from forge_lsp.settings import HttpSettings, Places
from forge_lsp.store.sql import default_url, open_store

from .announced import serve

EVENTS = 10_000
TEXT = "const x = 1;\n"


class Source:
    """Each stream begins once all of its clients are there."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._streams = Streams(HttpSettings())
        self._gathered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._present: defaultdict[str, int] = defaultdict(int)
        self._starting: dict[str, asyncio.Task[Run]] = {}

    async def journal(self, request: web.Request) -> web.StreamResponse:
        """Events that are appended to a run, committed, rendered and sent."""
        name = request.match_info["name"]
        await self._gather(request, name)
        if name not in self._starting:
            start = self._runs.start(_stream, kind="bench", title="", project="")
            self._starting[name] = asyncio.create_task(start)
        run = await self._starting[name]
        journal, wire = self._runs.subscribe(run.id), ServerSentEvents(GenerateRendering())
        return await self._streams.send(request, run.id, journal, wire)

    async def raw(self, request: web.Request) -> web.StreamResponse:
        """The same bytes, event by event."""
        await self._gather(request, request.match_info["name"])
        rendering = GenerateRendering()
        kind = ServerSentEvents(rendering).content_type
        response = web.StreamResponse(headers={"Content-Type": kind, **HEADERS})
        await response.prepare(request)
        for index in range(EVENTS):
            for payload in rendering.render(TextDelta(TEXT, index)):
                await response.write(sse.encode(payload))
        return response

    async def _gather(self, request: web.Request, name: str) -> None:
        self._present[name] += 1
        if self._present[name] == int(request.query["clients"]):
            self._gathered[name].set()
        await self._gathered[name].wait()


async def _stream(run: Run) -> None:
    for _ in range(EVENTS):
        await run.stream_text(TEXT)


async def _main(home: Path) -> None:
    store = await open_store(default_url(Places.find(home)))
    source = Source(Runs(store, coalesce_s=0, max_active=64))
    app = web.Application()
    app.add_routes([web.get("/journal/{name}", source.journal), web.get("/raw/{name}", source.raw)])
    await serve(app)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
