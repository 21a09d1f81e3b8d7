"""Health, readiness, an orderly end, and the log: what operators hold on to."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from http_serving import TOKEN, Api, payloads, serving, settings, until

from forge_lsp.cli.logs import JsonLines, TextLines
from forge_lsp.events import RunFinished
from forge_lsp.http import correlation
from forge_lsp.runs import INTERRUPTED
from forge_lsp.settings import HttpSettings

GENERATE = "/api/generate/stream"
PROMPT = {"prompt": "Create a React counter component"}
SLOW_S, QUICK_S = "0.5", "0.004"
"""Before each piece of the demo model's reply."""
END_S = 5.0


async def test_who_has_no_token_may_ask_whether_it_lives_and_is_ready(api: Api) -> None:
    for path, status in (("/api/health", "ok"), ("/api/ready", "ready")):
        async with api.client.get(path, headers={"Authorization": ""}) as response:
            assert response.status == 200
            assert (await response.json())["status"] == status


async def test_without_its_store_it_lives_and_is_not_ready(api: Api) -> None:
    await api.get("/api/ready")
    await api.engine.store.close()
    assert (await api.get("/api/health"))[0] == 200
    status, answer = await api.get("/api/ready")
    assert status == 503
    assert answer["success"] is False


async def test_on_its_way_out_it_takes_nothing_new_and_ends_what_it_has(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, settings(pace_s=0.01)) as api,
        api.client.post(GENERATE, json=PROMPT) as under_way,
    ):
        api.doorway.drain()
        refused: list[tuple[str, str, Any]] = [
            ("GET", "/api/ready", None),
            ("POST", GENERATE, PROMPT),
            ("POST", "/api/apply/stream", {"files": [{"path": "a.ts", "content": ""}]}),
            ("POST", "/api/sandbox/create", None),
            ("POST", "/api/packages/install", {"packages": ["react"]}),
        ]
        for method, path, body in refused:
            async with api.client.request(method, path, json=body) as response:
                assert response.status == 503, path
                assert int(response.headers["Retry-After"]) > 0
                assert "stopping" in (await response.json())["error"]
        assert (await api.get("/api/health"))[0] == 200
        assert (await api.get(f"/v1/runs/{under_way.headers['X-Run-Id']}"))[0] == 200
        assert (await api.post("/api/sandbox/kill", {}))[0] == 200
        assert payloads(await under_way.read())[-1]["type"] == "complete"


async def test_what_is_under_way_can_still_be_cancelled(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, settings(pace_s=5.0)) as api,
        api.client.post(GENERATE, json=PROMPT) as under_way,
    ):
        api.doorway.drain()
        status, _ = await api.post(f"/v1/runs/{under_way.headers['X-Run-Id']}/cancel")
        assert status in (200, 202)
        assert payloads(await under_way.read())[-1] == {"type": "cancelled"}


async def test_one_that_nobody_had_asked_yet_is_on_its_way_out_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.doorway.drain()
        assert (await api.get("/api/ready"))[0] == 503


@asynccontextmanager
async def served(
    home: Path, pace_s: str, **more: str
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, aiohttp.ClientSession]]:
    """`forge-lsp serve` as it is, with a client of it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FORGE_")},
        "FORGE_HOME": str(home),
        "FORGE_TOKEN": TOKEN,
        "FORGE_MODEL_PROVIDER": "demo",
        "FORGE_MODEL_DEMO_PACE_S": pace_s,
        "FORGE_LOG_FORMAT": "json",
        **more,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forge_lsp", "serve", "--log-level", "debug"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(ready["url"], headers=headers) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    """Wait for its end; gives the lines of its log."""
    async with asyncio.timeout(HttpSettings().drain_timeout_s + END_S):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in errors.decode().splitlines()]


async def test_a_run_under_way_ends_by_itself_after_sigterm(tmp_path: Path) -> None:
    async with served(tmp_path, QUICK_S) as (process, client):
        async with client.post(GENERATE, json=PROMPT) as stream:
            process.send_signal(signal.SIGTERM)
            events = payloads(await stream.read())
            request_id = stream.headers["X-Request-Id"]
        assert events[-1]["type"] == "complete"
        log = await ended(process)
    assert any("waiting for 1 runs to end" in line["message"] for line in log)
    own = [line for line in log if line.get("request_id") == request_id]
    assert own
    assert all({"time", "level", "pid", "logger", "message"} <= set(line) for line in log)
    assert PROMPT["prompt"] not in json.dumps(log)


async def test_a_second_signal_does_not_wait_and_the_journal_tells_of_the_run(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, SLOW_S) as (process, client):
        async with client.post(GENERATE, json=PROMPT) as stream:
            run_id = stream.headers["X-Run-Id"]
            process.send_signal(signal.SIGTERM)

            async def is_draining() -> bool:
                async with client.get("/api/ready") as answer:
                    return answer.status == 503

            await until(is_draining)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(END_S):
                last = payloads(await stream.read())[-1]
        await ended(process)
    await _is_interrupted(tmp_path, run_id, last)


async def test_a_run_that_does_not_end_in_time_is_interrupted(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW_S, FORGE_HTTP_DRAIN_TIMEOUT_S="0.2") as (process, client):
        async with client.post(GENERATE, json=PROMPT) as stream:
            run_id = stream.headers["X-Run-Id"]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(END_S):
                last = payloads(await stream.read())[-1]
        log = await ended(process)
    assert any("1 runs did not end in time" in line["message"] for line in log)
    await _is_interrupted(tmp_path, run_id, last)


async def _is_interrupted(home: Path, run_id: str, last: dict[str, Any]) -> None:
    """Both the client, by its stream's last word, and the journal were told."""
    assert last["type"] == "error"
    assert last["data"]["code"] == "interrupted"
    async with serving(home) as api:
        _, run = await api.get(f"/v1/runs/{run_id}")
        assert run["status"] == "failed"
        assert run["endedAt"]
        told = (await api.engine.store.events(run_id, 0, 500))[-1].event
        assert isinstance(told, RunFinished)
        assert (told.outcome, told.code, told.message) == (
            INTERRUPTED.outcome,
            INTERRUPTED.code,
            INTERRUPTED.message,
        )


async def test_a_line_of_the_log_names_its_request_and_its_run() -> None:
    record = logging.LogRecord("forge_lsp", logging.INFO, __file__, 1, "it %s", ("broke",), None)
    run_id = f"run_{'a1' * 10}"

    async def within() -> tuple[str, dict[str, Any]]:
        correlation.belongs_to("req_1")
        line = TextLines("%(levelname)s:%(ids)s %(message)s").format(record)
        return line, json.loads(JsonLines().format(record))

    task = asyncio.create_task(within(), name=f"generate {run_id}")
    line, found = await task
    assert line == f"INFO: [req_1 {run_id}] it broke"
    assert (found["request_id"], found["run_id"]) == ("req_1", run_id)
    assert found["message"] == "it broke"
    outside = json.loads(JsonLines().format(record))
    assert "request_id" not in outside
    assert "run_id" not in outside


def test_a_line_that_names_its_run_itself_does_not_name_it_twice() -> None:
    run_id = f"run_{'b2' * 10}"
    record = logging.LogRecord("x", logging.INFO, __file__, 1, f"run {run_id} failed", (), None)
    assert TextLines("%(levelname)s:%(ids)s %(message)s").format(record) == (
        f"INFO: run {run_id} failed"
    )
    assert json.loads(JsonLines().format(record))["run_id"] == run_id


def test_an_exception_is_one_line_of_json_too() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        told = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "broke", (), told)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError: a\nb" in json.loads(line)["exception"]


@pytest.mark.parametrize("hostile", ["req\n2026 ERROR forged", "x" * 200, ""])
async def test_a_request_can_not_write_lines_into_the_log(api: Api, hostile: str) -> None:
    if "\n" in hostile:
        hostile = hostile.replace("\n", " ")
    async with api.client.get("/api/health", headers={"X-Request-Id": hostile}) as response:
        assert response.headers["X-Request-Id"].startswith("req_")
        assert response.headers["X-Request-Id"] != hostile
