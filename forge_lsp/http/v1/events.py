"""GET /v1/runs/{id}/events: what a run said after a cursor, then what it goes on to say."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from forge_lsp.actions.engine import Engine
from forge_lsp.errors import InvalidRequest
from forge_lsp.events import Recorded, RunFinished
from forge_lsp.http.state import STREAMS, engine_of
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.http.v1.runs import record_of

LAST_EVENT_ID = "Last-Event-ID"
_CURSOR = re.compile(r"[0-9]{1,15}", re.ASCII)


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /v1/runs/{id}/events: every event after the cursor (without one, all), then live.

    A run that has ended is told to its last word, which comes again where the cursor is past it.
    """
    engine = await engine_of(request)
    cursor = _cursor(request)
    run = await record_of(engine, request)
    # Who has all of it is told the last word at least.
    start = min(cursor, run.last_seq if run.outcome is None else max(0, run.last_seq - 1))
    # What can't be read any more is refused while there can be an answer that says so.
    await engine.runs.readable(run.id)
    journal = _told(engine, run.id, start, cursor)
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


async def _told(
    engine: Engine, run_id: str, start: int, cursor: int
) -> AsyncGenerator[Recorded, None]:
    async with aclosing(engine.runs.subscribe(run_id, start)) as journal:
        async for recorded in journal:
            if recorded.seq > cursor or isinstance(recorded.event, RunFinished):
                yield recorded
