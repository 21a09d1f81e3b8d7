"""The one application: its routes, and what every request passes through."""

from aiohttp import web

import forge_lsp
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.http import generation, runs, sandboxes
from forge_lsp.http.access import Access
from forge_lsp.http.attendance import Attendance
from forge_lsp.http.failures import explain_failures, json_answer
from forge_lsp.http.guard import add_request_id, guard, identify
from forge_lsp.http.state import ATTENDANCE, ENGINE, SETTINGS, STREAMS, engine_of
from forge_lsp.http.streams import Streams
from forge_lsp.settings import HttpSettings

ROUTES = (
    web.post("/api/generate/stream", generation.generate_stream),
    web.post("/api/apply/stream", generation.apply_stream),
    web.post("/api/sandbox/create", sandboxes.create),
    web.get("/api/sandbox/status", sandboxes.status),
    web.get("/api/sandbox/files", sandboxes.files),
    web.post("/api/sandbox/diagnostics", sandboxes.diagnostics),
    web.post("/api/sandbox/kill", sandboxes.kill),
    web.post("/api/packages/install", sandboxes.install_packages),
    web.get("/v1/runs/{id}", runs.get),
    web.post("/v1/runs/{id}/cancel", runs.cancel),
)


def build(engine: Late[Engine], access: Access, settings: HttpSettings) -> web.Application:
    """The application; the engine opens with the first request and is not closed with it."""
    app = web.Application(
        middlewares=[identify, explain_failures, guard(access)],
        client_max_size=settings.body_limit_bytes,
    )
    app[ENGINE] = engine
    app[SETTINGS] = settings
    app[STREAMS] = Streams(settings)
    app[ATTENDANCE] = Attendance()
    app.add_routes([web.get("/api/health", health), *ROUTES])
    app.on_response_prepare.append(add_request_id)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.append(_end_attendance)
    return app


async def health(request: web.Request) -> web.Response:
    """GET /api/health: whether the engine is open, which is to say, whether the store works."""
    await engine_of(request)
    return json_answer({"success": True, "status": "ok", "version": forge_lsp.__version__})


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].stop()


async def _end_attendance(app: web.Application) -> None:
    await app[ATTENDANCE].close()
