"""GET /metrics: it counts what happened, and tells nobody's content."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from http_serving import TOKEN, Api, serving, settings, until
from prometheus_client.parser import text_string_to_metric_families

from forge_lsp.errors import ModelUnreachable
from forge_lsp.http.metrics import Metrics, make_metrics
from forge_lsp.http.observing import TimedModel
from forge_lsp.ports.model import (
    Message,
    ModelDone,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    Retrying,
    TextPiece,
)
from forge_lsp.runs import Run

GENERATE = "/api/generate/stream"
SECRET = "a counter for the secret project"
REQUEST = ModelRequest("code", "", "", (Message("user", SECRET),))


async def counted(api: Api) -> dict[tuple[str, ...], float]:
    """Each sample's value by its name and its labels' values, in the order of their names."""
    async with api.client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=1.0.0")
        text = await response.text()
    assert SECRET not in text
    assert TOKEN not in text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_it_asks_for_a_token(api: Api) -> None:
    async with api.client.get("/metrics", headers={"Authorization": ""}) as response:
        assert response.status == 401


async def test_a_generation_is_counted_from_its_request_to_its_tokens(api: Api) -> None:
    events = await api.stream(GENERATE, {"prompt": SECRET})

    async def is_counted() -> bool:
        found = await counted(api)
        return ("forge_runs_finished_total", "generate", "completed") in found

    await until(is_counted)
    found = await counted(api)
    assert found["forge_runs_started_total", "generate"] == 1
    assert found["forge_runs_finished_total", "generate", "completed"] == 1
    assert found["forge_runs_under_way",] == 0
    assert found["forge_run_seconds_count", "generate"] == 1
    said = sum(event["type"] == "stream" for event in events)
    assert found["forge_events_total", "text_delta"] == said
    assert found["forge_events_total", "run_started"] == 1
    assert found["forge_events_total", "run_finished"] == 1
    assert found["forge_tokens_total", "output"] > 0
    assert found["forge_model_seconds_count", "code"] >= 1
    assert found["forge_model_first_word_seconds_count", "code"] >= 1
    assert found["forge_http_requests_total", "POST", GENERATE, "200"] == 1
    assert found["forge_http_request_seconds_count", GENERATE] == 1


async def test_runs_that_an_editor_asks_for_are_counted_too(api: Api) -> None:
    assert (await api.get("/api/sandbox/status"))[0] == 404, "it opens the engine"

    async def work(_run: Run) -> None:
        pass

    await api.engine.runs.start(work, kind="edit", title=SECRET, project="file:///app")

    async def is_counted() -> bool:
        found = await counted(api)
        return found.get(("forge_runs_finished_total", "edit", "completed")) == 1

    await until(is_counted)


async def test_a_run_under_way_is_counted_as_one_and_a_cancelled_one_as_cancelled(
    tmp_path: Path,
) -> None:
    async with (
        serving(tmp_path, settings(pace_s=5.0)) as api,
        api.client.post(GENERATE, json={"prompt": SECRET}) as stream,
    ):
        found = await counted(api)
        assert found["forge_runs_under_way",] == 1
        assert found["forge_runs_started_total", "generate"] == 1
        await api.post(f"/v1/runs/{stream.headers['X-Run-Id']}/cancel")
        await stream.read()

        async def is_counted() -> bool:
            found = await counted(api)
            return found.get(("forge_runs_finished_total", "generate", "cancelled")) == 1

        await until(is_counted)


async def test_a_sandbox_that_was_made_is_counted(api: Api) -> None:
    await api.post("/api/sandbox/create")
    found = await counted(api)
    assert found["forge_http_requests_total", "POST", "/api/sandbox/create", "200"] == 1
    assert found["forge_sandboxes_created_total",] == 1


async def test_what_no_route_answers_is_counted_under_one_name(api: Api) -> None:
    for path in ("/a", "/b", "/wp-login.php"):
        await api.client.get(path)
    async with api.client.request("PROPFIND", "/dav") as response:
        assert response.status == 404
    found = await counted(api)
    assert found["forge_http_requests_total", "GET", "unknown", "404"] == 3
    assert found["forge_http_requests_total", "other", "unknown", "404"] == 1
    assert not [sample for sample in found if "/wp-login.php" in sample]


async def test_an_event_loop_that_stood_still_is_told(api: Api) -> None:
    await api.get("/api/health")
    stood_s = 0.3

    async def is_told() -> bool:
        time.sleep(stood_s)  # noqa: ASYNC251  This is what stands still.
        return (await counted(api))["forge_loop_lag_seconds_sum",] > stood_s / 2

    await until(is_told)


class Replies:
    """A model that says what it was given, then does what it was given."""

    def __init__(self, said: Sequence[ModelEvent], failure: Exception | None = None) -> None:
        self._said = said
        self._failure = failure
        self.is_closed = False

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("scripted", "code", "select", is_canned=True, writes_whole_files=False)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        for event in self._said:
            await asyncio.sleep(0)
            yield event
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        self.is_closed = True


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


async def test_a_model_that_fails_is_counted_by_its_code_and_fails_all_the_same() -> None:
    metrics = make_metrics()
    said = [Retrying(1, 3, 0.1, "busy"), TextPiece("Hel")]
    model = TimedModel(Replies(said, ModelUnreachable("No answer.")), metrics)
    reply = model.stream(REQUEST)
    assert [await anext(reply), await anext(reply)] == said
    with pytest.raises(ModelUnreachable):
        await anext(reply)
    assert value(metrics, "forge_model_errors_total", code="model_unreachable") == 1
    assert value(metrics, "forge_model_retries_total") == 1
    assert value(metrics, "forge_model_first_word_seconds_count", purpose="code") == 1
    assert value(metrics, "forge_model_seconds_count", purpose="code") == 1


async def test_a_reply_that_broke_off_is_an_error_and_one_that_ended_is_none() -> None:
    metrics = make_metrics()
    for stop in ("cut", "end"):
        model = TimedModel(Replies([TextPiece("a"), ModelDone(stop, "m")]), metrics)
        assert len([event async for event in model.stream(REQUEST)]) == 2
    assert value(metrics, "forge_model_errors_total", code="cut") == 1
    assert value(metrics, "forge_model_errors_total", code="end") == 0


async def test_whoever_closes_the_reply_closes_the_models() -> None:
    metrics, replies = make_metrics(), Replies([TextPiece("a"), TextPiece("b")])
    model = TimedModel(replies, metrics)
    reply = model.stream(REQUEST)
    assert await anext(reply) == TextPiece("a")
    await reply.aclose()
    assert value(metrics, "forge_model_seconds_count", purpose="code") == 1
    await model.close()
    assert replies.is_closed
    assert model.info == replies.info
