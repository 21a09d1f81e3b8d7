"""OpenTelemetry traces of requests, where the environment names a collector for them.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is set, and the extra `traces` is
installed. A span holds the method, the route, the status and the ids, and nobody's content.
"""

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from forge_lsp.http.metrics import METHODS, route_of
from forge_lsp.http.state import REQUEST_ID

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

FLUSH_TIMEOUT_S = 0.5
"""How long the last spans may take to leave when the server ends."""
_WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def open_tracing() -> "TracerProvider | None":
    """Where spans go; None where nobody asked for them, or what sends them isn't installed."""
    is_wanted = any(os.environ.get(name) for name in _WHERE)
    if not is_wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces are sent: install them with pip install 'forge-lsp[traces]'")
        return None
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "forge-lsp")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def trace_requests(provider: "TracerProvider") -> Middleware:
    """A span for each request, below the one that its `traceparent` names."""
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer = provider.get_tracer("forge_lsp.http")
    propagator = TraceContextTextMapPropagator()

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        method = request.method if request.method in METHODS else "_OTHER"
        names = (name for name in ("traceparent", "tracestate") if name in request.headers)
        carrier = {name: request.headers[name] for name in names}
        with tracer.start_as_current_span(
            f"{method} {route_of(request)}",
            context=propagator.extract(carrier),
            kind=SpanKind.SERVER,
            # An exception's text may hold what somebody wrote.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            span.set_attribute("http.request.method", method)
            span.set_attribute("http.route", route_of(request))
            span.set_attribute("forge.request_id", request[REQUEST_ID])
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if run_id := response.headers.get("X-Run-Id"):
                span.set_attribute("forge.run_id", run_id)
            if response.status >= web.HTTPInternalServerError.status_code:
                span.set_status(StatusCode.ERROR)
            return response

    return trace


async def close_tracing(provider: "TracerProvider") -> None:
    """Send what is left; a collector that doesn't answer holds nobody up."""
    ending = threading.Thread(target=provider.shutdown, name="end of tracing", daemon=True)
    ending.start()
    await asyncio.to_thread(ending.join, FLUSH_TIMEOUT_S)
    if ending.is_alive():
        log.warning("the last traces were not taken within %.1f s", FLUSH_TIMEOUT_S)
