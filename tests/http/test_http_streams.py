"""Streams under way: cancelled, silent, slow, dropped, and cut off by the server's end."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from http_serving import TOKEN, Api, events_of, payloads, serving, settings, types, until
from memory_sandbox import TEMPLATE

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded, RunStarted, Stage, TextDelta
from forge_lsp.http import sse
from forge_lsp.http.sse import GenerateRendering, ServerSentEvents
from forge_lsp.http.streams import MAX_WAITING_BYTES, STOPPING, Outbox

GENERATE = "/api/generate/stream"
COUNTER = {"prompt": "Create a React counter component"}
SLOW_S = 0.3
FOLDER = "/".join(["d" * 240] * 3)
FLOOD = [{"path": f"{FOLDER}/File{number}.ts", "content": "x"} for number in range(1000)]
"""Of which is told more than a small socket buffer keeps for a client that doesn't read."""


async def test_a_cancelled_stream_ends_with_cancelled_within_a_second(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, settings(pace_s=SLOW_S)) as api,
        api.client.post(GENERATE, json=COUNTER) as response,
    ):
        run_id = response.headers["X-Run-Id"]
        stream = events_of(response)
        async for event in stream:
            if event["type"] == "stream":
                break
        _, under_way = await api.get(f"/v1/runs/{run_id}")
        assert (under_way["status"], under_way["endedAt"]) == ("running", None)

        began = time.monotonic()
        answer = await api.post(f"/v1/runs/{run_id}/cancel")
        rest = [event async for event in stream]
        assert time.monotonic() - began < 1.0
        assert answer == (200, {"id": run_id, "status": "cancelled"})
        assert rest[-1] == {"type": "cancelled"}

        _, ended = await api.get(f"/v1/runs/{run_id}")
        assert ended["status"] == "cancelled"
        assert ended["startedAt"] <= ended["endedAt"]
        assert ended["endedAt"].endswith("Z")
        status, again = await api.post(f"/v1/runs/{run_id}/cancel")
        assert (status, again["error"]["code"]) == (409, "conflict")


async def test_a_run_that_ended_is_told_with_its_usage(api: Api) -> None:
    async with api.client.post(GENERATE, json=COUNTER) as response:
        run_id = response.headers["X-Run-Id"]
        await response.read()
    status, run = await api.get(f"/v1/runs/{run_id}")
    assert status == 200
    assert list(run) == ["id", "status", "startedAt", "endedAt", "usage", "lastEventId"]
    assert run["status"] == "completed"
    assert run["usage"]["outputTokens"] > 0
    assert run["lastEventId"] > 3


async def test_cancelling_an_unknown_run_is_refused(api: Api) -> None:
    status, answer = await api.post("/v1/runs/run_no/cancel")
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_a_silent_model_is_covered_by_heartbeats(tmp_path: Path) -> None:
    chosen = settings(pace_s=SLOW_S, http={"heartbeat_s": 0.05})
    async with serving(tmp_path, chosen) as api, api.client.post(GENERATE, json=COUNTER) as answer:
        heartbeat = None
        async for event in events_of(answer):
            if event["type"] == "heartbeat":
                heartbeat = event
                break
        assert heartbeat == {"type": "heartbeat", "message": "Generating..."}


async def test_an_apply_has_no_heartbeats(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"heartbeat_s": 0.02})) as api:
        await api.post("/api/sandbox/create")
        gate = api.provider.made[0].may_write
        gate.clear()
        asyncio.get_running_loop().call_later(0.2, gate.set)
        found = await api.stream("/api/apply/stream", {"files": FLOOD[:1]})
    assert types(found) == ["status", "status", "file", "complete"]


async def test_a_client_that_leaves_does_not_end_the_run_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=SLOW_S, http={"heartbeat_s": 0.05})) as api:
        async with api.client.post(GENERATE, json=COUNTER) as response:
            run_id = response.headers["X-Run-Id"]
            response.close()
        run = api.engine.runs.live(run_id)
        assert run is not None
        await until(lambda: run.listeners == 0)
        assert api.engine.runs.live(run_id) is run


async def test_a_run_that_nobody_listens_to_any_more_is_cancelled(tmp_path: Path) -> None:
    chosen = settings(pace_s=5.0, http={"heartbeat_s": 0.05}, grace_s=0.2)
    async with serving(tmp_path, chosen) as api:
        async with api.client.post(GENERATE, json=COUNTER) as response:
            run_id = response.headers["X-Run-Id"]
            response.close()
        await until(lambda: api.engine.runs.live(run_id) is None)
        assert (await api.get(f"/v1/runs/{run_id}"))[1]["status"] == "cancelled"


async def test_a_run_that_somebody_listens_to_is_left_alone(tmp_path: Path) -> None:
    chosen = settings(pace_s=0.01, http={"heartbeat_s": 0.05}, grace_s=0.1)
    async with serving(tmp_path, chosen) as api:
        found = await api.stream(GENERATE, COUNTER)
    assert found[-1]["type"] == "complete"


async def test_a_client_that_never_reads_holds_up_nobody_and_is_let_go(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"stall_timeout_s": 0.5})) as api:
        assert api.doorway._listening is not None
        api.doorway._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        await api.post("/api/sandbox/create")
        deaf = _send(api, "/api/apply/stream", {"files": FLOOD})
        try:
            run = await _newest(api)
            async with asyncio.timeout(60):
                await run.finished()
            await until(lambda: run.listeners == 0)
            assert len(api.provider.made[0].contents) == len(FLOOD) + len(TEMPLATE)
            assert (await api.get("/api/health"))[0] == 200
            heard = await asyncio.to_thread(_read_to_the_end, deaf)
            assert b'"status":"applied"' in heard
            assert b'"type":"complete"' not in heard
        finally:
            deaf.close()


async def test_a_client_that_closes_its_half_neither_breaks_the_run_nor_the_server(
    api: Api,
) -> None:
    half = _send(api, GENERATE, COUNTER)
    half.shutdown(socket.SHUT_WR)
    try:
        await until(lambda: _has_run(api))
        run = (await api.engine.runs.recent(limit=1))[0]
        await until(lambda: api.engine.runs.live(run.id) is None)
        assert (await api.engine.runs.record(run.id)).outcome == "completed"
        assert (await api.get("/api/health"))[0] == 200
    finally:
        half.close()


async def test_streams_get_a_last_word_when_the_server_stops(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, settings(pace_s=5.0)) as api,
        api.client.post(GENERATE, json=COUNTER) as response,
    ):
        reading = asyncio.create_task(response.read())
        began = time.monotonic()
        await api.doorway.close()
        assert time.monotonic() - began < 1.5
        last = payloads(await reading)[-1]
        assert (last["type"], last["data"]["code"]) == ("error", "unavailable")


async def test_what_waits_for_a_slow_client_is_bounded() -> None:
    outbox = Outbox(ServerSentEvents(GenerateRendering()))
    seen = 0

    async def journal():
        nonlocal seen
        for seq in range(1, 10_000):
            yield Recorded(seq, 0, TextDelta("x" * 1000, seq))
            seen = seq

    filling = asyncio.create_task(outbox.fill(journal()))
    full = MAX_WAITING_BYTES // 1100
    await until(lambda: seen > full)
    first = await outbox.take(10)
    assert MAX_WAITING_BYTES <= len(first) < MAX_WAITING_BYTES + 2000
    assert seen == len(payloads(first)) - 1
    await until(lambda: seen > 2 * full)
    filling.cancel()
    await asyncio.wait([filling])


async def test_what_is_there_goes_out_as_one_piece() -> None:
    outbox = Outbox(ServerSentEvents(GenerateRendering()))

    async def journal():
        for seq in range(1, 11):
            yield Recorded(seq, 0, TextDelta("x", seq - 1))

    await outbox.fill(journal())
    assert types(payloads(await outbox.take(1))) == ["stream"] * 10 + ["error"]


async def test_after_the_servers_last_word_nothing_more_is_said() -> None:
    outbox = Outbox(ServerSentEvents(GenerateRendering()))
    stopped = asyncio.Event()

    async def journal():
        yield Recorded(1, 0, Stage("Before."))
        await stopped.wait()
        yield Recorded(2, 0, Stage("After."))

    filling = asyncio.create_task(outbox.fill(journal()))
    assert payloads(await outbox.take(10)) == [{"type": "status", "message": "Before."}]
    outbox.end(STOPPING)
    stopped.set()
    await filling
    assert payloads(await outbox.take(10)) == [sse.failure(STOPPING.code, STOPPING.message)]
    assert outbox.is_ended


async def test_an_event_without_a_word_here_brings_nothing_early() -> None:
    outbox = Outbox(ServerSentEvents(GenerateRendering()))
    told = asyncio.Event()

    async def journal():
        yield Recorded(1, 0, RunStarted("generate", "x"))
        await told.wait()
        yield Recorded(2, 0, Stage("Now."))
        await asyncio.Event().wait()

    filling = asyncio.create_task(outbox.fill(journal()))
    assert await outbox.take(0.05) == b""
    told.set()
    assert payloads(await outbox.take(10)) == [{"type": "status", "message": "Now."}]
    filling.cancel()
    await asyncio.wait([filling])


async def test_a_journal_that_breaks_ends_the_stream_with_an_error() -> None:
    async def unreadable():
        yield Recorded(1, 0, Stage("Now."))
        raise StoreFailed("The disk is full.")

    async def wrong():
        yield Recorded(1, 0, Stage("Now."))
        raise ZeroDivisionError

    for journal, code in ((unreadable(), "store_failed"), (wrong(), "internal_error")):
        outbox = Outbox(ServerSentEvents(GenerateRendering()))
        await outbox.fill(journal)
        found = payloads(await outbox.take(1))
        assert found[-1]["data"]["code"] == code
        assert outbox.is_ended


def _send(api: Api, path: str, body: Mapping[str, object]) -> socket.socket:
    """A request over a socket with small buffers, whose answer nobody reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", api.port))
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Connection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    client.settimeout(10)
    client.sendall(head.encode() + data)
    return client


def _read_to_the_end(client: socket.socket) -> bytes:
    heard = b""
    try:
        while piece := client.recv(65536):
            heard += piece
    except ConnectionResetError:
        pass
    return heard


async def _newest(api: Api):
    await until(lambda: api.engine.runs.newest() is not None)
    run = api.engine.runs.newest()
    assert run is not None
    return run


async def _has_run(api: Api) -> bool:
    return bool(await api.engine.runs.recent(limit=1))
