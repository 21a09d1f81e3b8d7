"""What operators ask: whether the process lives, and whether it takes work."""

from aiohttp import web

import forge_lsp
from forge_lsp.http.draining import DRAIN
from forge_lsp.http.failures import json_answer
from forge_lsp.http.state import engine_of


async def health(request: web.Request) -> web.Response:
    """GET /api/health: the process answers. It asks for nothing else, so that whoever restarts
    what isn't alive does not do so because a database is away."""
    del request
    return json_answer({"success": True, "status": "ok", "version": forge_lsp.__version__})


async def ready(request: web.Request) -> web.Response:
    """GET /api/ready: the engine is open, the store answers, and new runs are taken."""
    request.app[DRAIN].refuse_if_on()
    engine = await engine_of(request)
    await engine.store.runs(limit=1)
    return json_answer({"success": True, "status": "ready", "version": forge_lsp.__version__})
