"""GET /v1/runs/{id}, POST /v1/runs/{id}/cancel and POST /v1/runs/{id}/rollback."""

import asyncio
from contextlib import aclosing, suppress

from aiohttp import web

from forge_lsp import events
from forge_lsp.actions.apps import rollback as start_rollback
from forge_lsp.actions.engine import Engine
from forge_lsp.errors import ChangedSince, Conflict, NotFound
from forge_lsp.events import Outcome
from forge_lsp.http.failures import json_answer
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.http.times import iso
from forge_lsp.ports.store import RunRecord
from forge_lsp.runs import Run

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
    record = await record_of(await engine_of(request), request)
    return json_answer(
        {
            "id": record.id,
            "status": _STATUSES[record.outcome],
            "startedAt": iso(record.started_at),
            "endedAt": None if record.ended_at is None else iso(record.ended_at),
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
    record = await record_of(engine, request)
    await engine.runs.cancel(record.id)
    with suppress(TimeoutError):
        async with asyncio.timeout(CANCEL_WAIT_S):
            await _last_word(engine, record)
    record = await engine.runs.record(record.id)
    status = 202 if record.outcome is None else 200
    return json_answer({"id": record.id, "status": _STATUSES[record.outcome]}, status)


async def rollback(request: web.Request) -> web.Response:
    """POST /v1/runs/{id}/rollback: put back what the run changed, within 24 hours of its end.

    Nothing is put back where one of its files has changed since in the same lines.
    """
    engine = await engine_of(request)
    record = await record_of(engine, request)
    if record.outcome is None:
        raise Conflict(f"The run {record.id} is still under way; cancel it first.")
    run = await start_rollback(engine, record.account, record.id)
    restored = await _restored(engine, run)
    return json_answer({"id": record.id, "rollbackRunId": run.id, "restored": restored})


async def record_of(engine: Engine, request: web.Request) -> RunRecord:
    """The run of the path; raises `NotFound`, for another account's too."""
    run_id = request.match_info["id"]
    record = await engine.runs.record(run_id)
    if record.account != account_of(request):
        raise NotFound(f"There is no run {run_id}.")
    return record


async def _last_word(engine: Engine, record: RunRecord) -> None:
    """Wait for it, in whichever process the run is."""
    async with aclosing(engine.runs.subscribe(record.id, record.last_seq)) as journal:
        async for _ in journal:
            pass


async def _restored(engine: Engine, run: Run) -> list[str]:
    """The files that the run has put back; raises `Conflict` where it could not."""
    paths: dict[str, None] = {}
    async for recorded in engine.runs.subscribe(run.id):
        match recorded.event:
            case events.FileApplied(path, "workspace", True):
                paths[str(path)] = None
            case events.RunFinished(outcome, code, message) if outcome != "completed":
                raise ChangedSince(message) if code == ChangedSince.code else Conflict(message)
            case _:
                pass
    return list(paths)
