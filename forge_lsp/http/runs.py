"""GET /v1/runs/{id} and POST /v1/runs/{id}/cancel."""

import asyncio
import contextlib
from datetime import UTC, datetime

from aiohttp import web

from forge_lsp.actions.engine import Engine
from forge_lsp.errors import NotFound
from forge_lsp.events import Outcome
from forge_lsp.http.failures import json_answer
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.ports.store import RunRecord

CANCEL_WAIT_S = 1.0
"""How long a cancel waits for the run's last word before it answers that it goes on."""

_STATUSES: dict[Outcome | None, str] = {
    None: "running",
    "completed": "completed",
    "cancelled": "cancelled",
    "truncated": "failed",
    "refused": "failed",
    "failed": "failed",
}


async def get(request: web.Request) -> web.Response:
    """GET /v1/runs/{id}."""
    record = await _record(await engine_of(request), request)
    return json_answer(
        {
            "id": record.id,
            "status": _STATUSES[record.outcome],
            "startedAt": _iso(record.started_at),
            "endedAt": None if record.ended_at is None else _iso(record.ended_at),
            "usage": {
                "inputTokens": record.input_tokens,
                "outputTokens": record.output_tokens,
                "costUsd": record.cost_usd,
            },
            "lastEventId": record.last_seq,
        }
    )


async def cancel(request: web.Request) -> web.Response:
    """POST /v1/runs/{id}/cancel: 200 once it has ended, 202 while it is on its way there."""
    engine = await engine_of(request)
    record = await _record(engine, request)
    run = engine.runs.live(record.id)
    await engine.runs.cancel(record.id)
    if run is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_WAIT_S):
                await run.finished()
    record = await engine.runs.record(record.id)
    status = 202 if record.outcome is None else 200
    return json_answer({"id": record.id, "status": _STATUSES[record.outcome]}, status)


async def _record(engine: Engine, request: web.Request) -> RunRecord:
    """The run of the path; another account's is not there."""
    run_id = request.match_info["id"]
    record = await engine.runs.record(run_id)
    if record.account != account_of(request):
        raise NotFound(f"There is no run {run_id}.")
    return record


def _iso(milliseconds: int) -> str:
    """ISO 8601 with milliseconds and Z."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"
