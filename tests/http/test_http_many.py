"""Many clients and many runs at once: each hears all of its own, and none holds up another."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from http_raw import JSON, connected, head
from http_serving import TOKEN, WAIT_S, Api, payloads, serving, settings, until

from forge_lsp.events import Event
from forge_lsp.http import sse
from forge_lsp.http.server import Server
from forge_lsp.http.sse import ApplyRendering, GenerateRendering, Rendering
from forge_lsp.http.state import STREAMS
from forge_lsp.http.streams import MAX_WAITING_BYTES, Outbox
from forge_lsp.runs import PAGE, Run
from forge_lsp.tail import MAX_TAIL

APPLY = "/api/apply/stream"
GENERATE = "/api/generate/stream"
CLIENTS = 200
RUNS = 50
DEAF = 20
FOLDER = "/".join(["d" * 240] * 3)
SOCKET_BYTES = 8192
AT_ONCE_BYTES = 2 * MAX_WAITING_BYTES + 128 * 1024
"""What may wait for one client: in its outbox, and on its way out of it."""
MANY_S = 60.0


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """With a sandbox that writes nothing until it may."""
    async with serving(tmp_path, settings(http={"heartbeat_s": 60}), wait_s=MANY_S) as api:
        await api.post("/api/sandbox/create")
        api.provider.made[0].may_write.clear()
        yield api


@pytest.fixture
async def crowd(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that may have any number of connections."""
    async with aiohttp.ClientSession(
        api.url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=MANY_S),
    ) as session:
        yield session


def files(count: int, of: str = "File") -> list[dict[str, str]]:
    return [{"path": f"src/{of}{number}.ts", "content": "1"} for number in range(count)]


async def told(api: Api, run_id: str, rendering: Rendering) -> bytes:
    """What a stream of the run says, from its journal alone."""
    events: list[Event] = []
    while page := await api.engine.store.events(run_id, len(events), PAGE):
        events += [recorded.event for recorded in page]
    return b"".join(sse.encode(each) for event in events for each in rendering.render(event))


async def test_two_hundred_clients_of_one_run_hear_the_same_in_order(
    api: Api, crowd: aiohttp.ClientSession
) -> None:
    body, key = {"files": files(40)}, {"Idempotency-Key": "one"}
    async with AsyncExitStack() as stack:
        responses = [
            await stack.enter_async_context(crowd.post(APPLY, json=body, headers=key))
            for _ in range(CLIENTS)
        ]
        ids = {response.headers["X-Run-Id"] for response in responses}
        assert len(ids) == 1
        run = await _live(api, ids.pop())
        await until(lambda: run.listeners == CLIENTS)
        api.provider.made[0].may_write.set()
        heard = await asyncio.gather(*(response.read() for response in responses))
    assert set(heard) == {await told(api, run.id, ApplyRendering())}
    applied = [each["data"]["path"] for each in payloads(heard[0]) if each["type"] == "file"]
    assert applied == [file["path"] for file in body["files"]]
    assert run.listeners == 0
    assert len(await api.engine.runs.recent(limit=9)) == 1


async def test_fifty_runs_at_once_each_tell_their_own(
    api: Api, crowd: aiohttp.ClientSession
) -> None:
    bodies = [{"files": files(20, f"Of{number}-")} for number in range(RUNS)]
    async with AsyncExitStack() as stack:
        responses = [
            await stack.enter_async_context(crowd.post(APPLY, json=body)) for body in bodies
        ]
        assert api.engine.runs.under_way == RUNS
        api.provider.made[0].may_write.set()
        heard = await asyncio.gather(*(response.read() for response in responses))
    for body, response, data in zip(bodies, responses, heard, strict=True):
        assert data == await told(api, response.headers["X-Run-Id"], ApplyRendering())
        last = payloads(data)[-1]
        assert last["data"]["success"] is True
        assert last["data"]["appliedFiles"] == [file["path"] for file in body["files"]]


async def test_fifty_generations_at_once_each_tell_their_own(
    api: Api, crowd: aiohttp.ClientSession
) -> None:
    async def generate(number: int) -> tuple[str, bytes]:
        body = {"prompt": f"Create a React counter component, number {number}"}
        async with crowd.post(GENERATE, json=body) as response:
            return response.headers["X-Run-Id"], await response.read()

    found = await asyncio.gather(*(generate(number) for number in range(RUNS)))
    assert len(dict(found)) == RUNS
    for run_id, data in found:
        assert data == await told(api, run_id, GenerateRendering())
        streamed = [each["data"]["index"] for each in payloads(data) if each["type"] == "stream"]
        assert streamed == list(range(len(streamed)))
        assert payloads(data)[-1]["type"] == "complete"


async def test_clients_that_never_read_cost_little_and_hold_up_nobody(
    api: Api, crowd: aiohttp.ClientSession
) -> None:
    assert api.doorway._listening is not None
    api.doorway._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    flood = [{"path": f"{FOLDER}/File{number}.ts", "content": ""} for number in range(1000)]
    body = json.dumps({"files": flood}).encode()
    headers = {"Idempotency-Key": "flood", "Content-Type": "application/json"}
    async with AsyncExitStack() as stack:
        posted = crowd.post(APPLY, data=io.BytesIO(body), headers=headers)
        response = await stack.enter_async_context(posted)
        run = await _live(api, response.headers["X-Run-Id"])
        await _listen_without_reading(api, stack, body)
        await until(lambda: run.listeners == 1 + DEAF)
        api.provider.made[0].may_write.set()
        heard = await response.read()
        assert heard == await told(api, run.id, ApplyRendering())
        assert len(heard) > 2 * AT_ONCE_BYTES, "the flood is larger than what is kept of it"
        assert run.is_finished
        assert run.listeners == DEAF
        waiting = [_waiting_bytes(outbox) for outbox in _open(api)]
        assert len(waiting) == DEAF
        assert max(waiting) < MAX_WAITING_BYTES + 4096
        on_its_way = [transport.get_write_buffer_size() for transport in _transports(api)]
        assert max(on_its_way) < AT_ONCE_BYTES - MAX_WAITING_BYTES
        assert len(run._tail) <= 2 * MAX_TAIL
        assert (await api.get("/api/health"))[0] == 200
    await until(lambda: not _open(api) and run.listeners == 0)


async def _live(api: Api, run_id: str) -> Run:
    run = api.engine.runs.live(run_id)
    assert run is not None
    return run


async def _listen_without_reading(api: Api, stack: AsyncExitStack, body: bytes) -> None:
    length = f"Content-Length: {len(body)}"
    asked = head(api, f"POST {APPLY}", JSON, "Idempotency-Key: flood", length) + body
    for _ in range(DEAF):
        reader, writer = await stack.enter_async_context(connected(api))
        small = writer.get_extra_info("socket")
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        writer.write(asked)
        async with asyncio.timeout(WAIT_S):
            await reader.readuntil(b"\r\n\r\n")
        cast("asyncio.Transport", writer.transport).pause_reading()


def _server(api: Api) -> Server:
    starting = api.doorway._starting
    assert starting is not None
    return starting.result()


def _open(api: Api) -> Sequence[Outbox]:
    return tuple(_server(api)._runner.app[STREAMS]._open)


def _waiting_bytes(outbox: Outbox) -> int:
    return len(outbox._waiting)


def _transports(api: Api) -> Sequence[asyncio.WriteTransport]:
    server = _server(api)._runner.server
    assert server is not None
    return [each.transport for each in server.connections if each.transport is not None]
