"""The one application: its routes, and what every request passes through."""

from aiohttp import web
from aiohttp.typedefs import Handler

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.http import (
    correlation,
    docs,
    fragments,
    generation,
    metrics,
    operations,
    projects,
    sandboxes,
)
from forge_lsp.http.access import Access
from forge_lsp.http.attendance import Attendance
from forge_lsp.http.draining import DRAIN, Drain, refuse_new_work
from forge_lsp.http.failures import explain_failures
from forge_lsp.http.guard import add_request_id, guard, identify
from forge_lsp.http.idempotency import answer_once
from forge_lsp.http.limits import limit_rates, limit_runs
from forge_lsp.http.metrics import METRICS, count_requests, make_metrics
from forge_lsp.http.observing import Observer
from forge_lsp.http.state import ATTENDANCE, ENGINE, REQUEST_ID, SETTINGS, STREAMS, run_began
from forge_lsp.http.streams import Streams
from forge_lsp.http.tracing import close_tracing, open_tracing, trace_requests
from forge_lsp.http.v1 import apps, chats, events, runs, skills
from forge_lsp.settings import HttpSettings

_APP = "/v1/apps/{id:(?!generate$)[^/]+}"
"""`generate` is a route of its own, and the id of no app."""

ROUTES = (
    web.post("/api/generate/stream", generation.generate_stream),
    web.post("/api/apply/stream", generation.apply_stream),
    web.post("/api/sandbox/create", sandboxes.create),
    web.get("/api/sandbox/status", sandboxes.status),
    web.get("/api/sandbox/files", sandboxes.files),
    web.post("/api/sandbox/diagnostics", sandboxes.diagnostics),
    web.post("/api/sandbox/kill", sandboxes.kill),
    web.post("/api/packages/install", sandboxes.install_packages),
    web.get("/api/fragments", fragments.listed),
    web.get("/api/fragments/{id}", fragments.get),
    web.patch("/api/fragments/{id}", fragments.update),
    web.get("/api/fragments/{id}/versions", fragments.versions),
    web.post("/api/fragments/{id}/restore", fragments.restore),
    web.post("/api/projects", projects.create),
    web.get("/api/projects", projects.listed),
    web.get("/api/messages", projects.messages),
    web.post("/api/messages", projects.say),
    web.post("/v1/apps/generate", apps.generate),
    web.get("/v1/apps", apps.listed),
    web.get(_APP, apps.get),
    web.delete(_APP, apps.delete),
    web.get("/v1/apps/{id}/files", apps.files),
    web.patch("/v1/apps/{id}/files", apps.write_files),
    web.post("/v1/apps/{id}/fork", apps.fork),
    web.post("/v1/chats/{id}/messages", chats.say),
    web.get("/v1/skills", skills.listed),
    web.post("/v1/skills", skills.add),
    web.post("/v1/skills/run", skills.run),
    web.post("/v1/augmenters/run", skills.augment),
    web.get("/v1/runs/{id}", runs.get),
    web.get("/v1/runs/{id}/events", events.stream, allow_head=False),
    web.post("/v1/runs/{id}/cancel", runs.cancel),
    web.post("/v1/runs/{id}/rollback", runs.rollback),
    web.get("/metrics", metrics.answer),
)
OPEN_ROUTES = (
    web.get("/api/health", operations.health),
    web.get("/api/ready", operations.ready),
    web.get("/openapi.json", docs.openapi),
    web.get("/docs", docs.page),
)
"""What is answered without a token."""

OBSERVER = web.AppKey("observer", Observer)


def build(engine: Late[Engine], access: Access, settings: HttpSettings) -> web.Application:
    """The application; the engine opens with the first request and is not closed with it."""
    app = web.Application(
        middlewares=[
            identify,
            correlate,
            count_requests,
            explain_failures,
            guard(access),
            refuse_new_work,
            limit_rates(),
            answer_once(),
            limit_runs(),
        ],
        client_max_size=settings.body_limit_bytes,
    )
    if (tracing := open_tracing()) is not None:
        app.middlewares.insert(1, trace_requests(tracing))
        app.on_cleanup.append(lambda _: close_tracing(tracing))
    app[METRICS] = make_metrics()
    app[OBSERVER] = Observer(app[METRICS], engine)
    app[ENGINE] = app[OBSERVER].observed()
    app[SETTINGS] = settings
    app[STREAMS] = Streams(settings)
    app[ATTENDANCE] = Attendance()
    app[DRAIN] = Drain()
    app.add_routes([*OPEN_ROUTES, *ROUTES])
    docs.add_document(app)
    app.on_response_prepare.extend([add_request_id, run_began])
    app.on_startup.append(_start_observing)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.extend([_end_attendance, _end_observing])
    return app


@web.middleware
async def correlate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let every line of the log that comes of this request name it."""
    correlation.belongs_to(request[REQUEST_ID])
    return await handler(request)


async def _start_observing(app: web.Application) -> None:
    app[OBSERVER].start()


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].stop()


async def _end_attendance(app: web.Application) -> None:
    await app[ATTENDANCE].close()


async def _end_observing(app: web.Application) -> None:
    await app[OBSERVER].close()
