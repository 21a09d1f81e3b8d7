"""GET /v1/runs/{id}/events: what a run said after a cursor, then what it goes on to say."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from forge_lsp.actions.engine import Engine
from forge_lsp.errors import Gone, InvalidRequest
from forge_lsp.events import Recorded, RunFinished
from forge_lsp.http.state import STREAMS, engine_of
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.http.v1.runs import record_of
from forge_lsp.ports.store import RunRecord
from forge_lsp.processes import is_alive, this_process

LAST_EVENT_ID = "Last-Event-ID"
LOOK_EVERY_S = 0.25
"""How often the store is asked for more of a run that another process carries out."""
_CURSOR = re.compile(r"[0-9]{1,15}", re.ASCII)


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /v1/runs/{id}/events: every event after the cursor (without one, all), then live.

    A run that has ended is told to its last word, which comes again where the cursor is past it.
    """
    engine = await engine_of(request)
    run = await record_of(engine, request)
    cursor = _cursor(request)
    journal = _told(engine, run.id, await _start(engine, run, cursor), cursor)
    wire = wire_of(run, request.headers.get(hdrs.ACCEPT, ""), cursor)
    return await request.app[STREAMS].send(request, run.id, journal, wire)


def _cursor(request: web.Request) -> int:
    """The id of the last event that the client has; 0 for none."""
    # Who reconnects asks for the same URL, so what the client heard since counts before it.
    given = request.headers.get(LAST_EVENT_ID) or request.query.get("cursor")
    if given is None:
        return 0
    if not _CURSOR.fullmatch(given):
        raise InvalidRequest("cursor: the id of an event is asked for, a number from 0")
    return int(given)


async def _start(engine: Engine, run: RunRecord, cursor: int) -> int:
    """From where the journal is read; raises `Gone` where it is kept no longer."""
    if run.outcome is None:
        return min(cursor, run.last_seq)
    start = max(0, min(cursor, run.last_seq - 1))
    if not await engine.store.events(run.id, start, 1):
        raise Gone(f"What the run {run.id} said is kept no longer.")
    return start


async def _told(
    engine: Engine, run_id: str, start: int, cursor: int
) -> AsyncGenerator[Recorded, None]:
    async with aclosing(_followed(engine, run_id, start)) as journal:
        async for recorded in journal:
            if recorded.seq > cursor or isinstance(recorded.event, RunFinished):
                yield recorded


async def _followed(engine: Engine, run_id: str, after: int) -> AsyncGenerator[Recorded, None]:
    """What came after, to the last word, also of a run that another process carries out."""
    is_last_look = False
    while True:
        async with aclosing(engine.runs.subscribe(run_id, after)) as journal:
            async for recorded in journal:
                after = recorded.seq
                yield recorded
                if isinstance(recorded.event, RunFinished):
                    return
        if is_last_look:
            return
        record = await engine.runs.record(run_id)
        is_elsewhere = record.owner != this_process() and is_alive(record.owner)
        is_last_look = record.outcome is not None or not is_elsewhere
        if not is_last_look:
            await asyncio.sleep(LOOK_EVERY_S)
