"""A run that a request has just started: watched, and streamed to whoever asked for it."""

from aiohttp import web

from forge_lsp.actions.engine import Engine
from forge_lsp.http.state import ATTENDANCE, STREAMS
from forge_lsp.http.streams import Wire
from forge_lsp.runs import Run


async def stream_run(
    request: web.Request, engine: Engine, run: Run, wire: Wire
) -> web.StreamResponse:
    """Stream the run from its start; it ends soon after its last listener has left."""
    request.app[ATTENDANCE].watch(engine.runs, run, engine.settings.runs.listener_grace_s)
    return await request.app[STREAMS].send(request, run.id, engine.runs.subscribe(run.id), wire)
