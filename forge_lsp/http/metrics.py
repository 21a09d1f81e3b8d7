"""GET /metrics: what Prometheus counts of this process, without a word of anybody's content."""

import time
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

UNKNOWN_ROUTE = "unknown"
"""The label of what no route answers: paths are the client's words, of which there is no end."""
SANDBOX_CREATE = "/api/sandbox/create"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""All others are one, for the same reason."""
_LONG_S = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_SHORT_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric of one application, in a registry of its own."""

    registry: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    runs_started: Counter
    runs_finished: Counter
    runs_under_way: Gauge
    run_seconds: Histogram
    events: Counter
    model_seconds: Histogram
    model_first_word_seconds: Histogram
    model_retries: Counter
    model_errors: Counter
    tokens: Counter
    cost: Counter
    sandboxes_created: Counter
    sandboxes_ready: Counter
    loop_lag_seconds: Histogram


METRICS = web.AppKey("metrics", Metrics)


def make_metrics() -> Metrics:
    """All of them, at zero."""
    registry = CollectorRegistry()

    def counter(name: str, what: str, *labels: str) -> Counter:
        return Counter(f"forge_{name}", what, labels, registry=registry)

    def seconds(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"forge_{name}", what, labels, registry=registry, buckets=buckets)

    return Metrics(
        registry=registry,
        requests=counter("http_requests", "Requests answered.", "method", "route", "status"),
        request_seconds=seconds(
            "http_request_seconds", "How long answers took, streams to their end.", _LONG_S, "route"
        ),
        runs_started=counter("runs_started", "Runs begun, whoever asked for them.", "kind"),
        runs_finished=counter("runs_finished", "Runs that have ended.", "kind", "outcome"),
        runs_under_way=Gauge(
            "forge_runs_under_way", "Runs under way, whoever asked for them.", registry=registry
        ),
        run_seconds=seconds("run_seconds", "How long runs took.", _LONG_S, "kind"),
        events=counter("events", "Events in the journals of these runs.", "type"),
        model_seconds=seconds(
            "model_seconds", "How long the model's replies took, to their end.", _LONG_S, "purpose"
        ),
        model_first_word_seconds=seconds(
            "model_first_word_seconds", "How long until a reply began.", _LONG_S, "purpose"
        ),
        model_retries=counter("model_retries", "Requests to the model that were sent again."),
        model_errors=counter("model_errors", "Replies that failed or broke off.", "code"),
        tokens=counter("tokens", "Tokens by what they were counted as.", "kind"),
        cost=counter("cost_usd", "What the model took, where its price is known."),
        sandboxes_created=counter("sandboxes_created", "Sandboxes made when asked for one."),
        sandboxes_ready=counter("sandboxes_ready", "Runs that got a sandbox to show their app in."),
        loop_lag_seconds=seconds(
            "loop_lag_seconds", "How late the event loop was, looked at regularly.", _SHORT_S
        ),
    )


async def answer(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    metrics = request.app[METRICS]
    return web.Response(
        body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_1_0_0}
    )


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the answer by its route; one that its client didn't wait for counts as 499."""
    metrics = request.app[METRICS]
    route, began, status = route_of(request), time.monotonic(), "499"
    try:
        response = await handler(request)
        status = str(response.status)
        return response
    finally:
        method = request.method if request.method in METHODS else "other"
        metrics.requests.labels(method, route, status).inc()
        if route == SANDBOX_CREATE and status == "200":
            metrics.sandboxes_created.inc()
        metrics.request_seconds.labels(route).observe(time.monotonic() - began)


def route_of(request: web.Request) -> str:
    """The route's own path, with the names of its parameters."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNKNOWN_ROUTE
