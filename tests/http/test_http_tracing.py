"""Traces: sent where a collector is named, nothing in them but what happened."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from http_serving import serving, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SECRET = "a counter for the secret project"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OFF = """
import sys
from forge_lsp.http.tracing import open_tracing
assert open_tracing() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


@asynccontextmanager
async def collector() -> AsyncGenerator[tuple[str, list[bytes]]]:
    """Somebody who takes traces; its address, and what it took."""
    taken: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", taken
    finally:
        await runner.cleanup()


async def test_each_request_is_a_span_without_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as (address, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        async with serving(tmp_path, settings()) as api:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "req-of-mine"}
            body = {"prompt": SECRET}
            async with api.client.post("/api/generate/stream", json=body, headers=headers) as sent:
                run_id = sent.headers["X-Run-Id"]
                await sent.read()
            await api.get(f"/api/sandbox/status?sandboxId={SECRET}")
        spans = {
            span.name: span
            for data in taken
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
    assert set(spans) == {"POST /api/generate/stream", "GET /api/sandbox/status"}
    generation = spans["POST /api/generate/stream"]
    assert generation.trace_id.hex() == TRACE
    assert generation.parent_span_id.hex() == PARENT
    told = {each.key: each.value.string_value for each in generation.attributes}
    assert told["forge.request_id"] == "req-of-mine"
    assert told["forge.run_id"] == run_id
    assert SECRET.encode() not in b"".join(taken)


async def test_a_collector_that_is_away_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with serving(tmp_path, settings()) as api:
        assert (await api.get("/api/health"))[0] == 200


def test_without_a_collector_nothing_of_it_is_even_imported() -> None:
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
