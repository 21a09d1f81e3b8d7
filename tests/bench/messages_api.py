"""A server of the Messages API whose deltas tell when they were sent."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from forge_lsp.claude import wire

DELTAS = 300
PACE_S = 0.005
_STAMP = re.compile(rb"@(\d+)@")


def delays_ms(received: bytes) -> list[float]:
    """How long ago each delta in `received` was sent, by the clock of the whole machine."""
    now = time.perf_counter_ns()
    return [(now - int(stamp)) / 1e6 for stamp in _STAMP.findall(received)]


async def _answer(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse(headers=wire.STREAM_HEADERS)
    await response.prepare(request)
    await response.write(wire.message_start("stamped") + wire.block_start())
    for _ in range(DELTAS):
        await asyncio.sleep(PACE_S)
        await response.write(wire.text_delta(f"@{time.perf_counter_ns()}@ "))
    ending = wire.text_delta("\n<done/>\n") + wire.block_stop()
    await response.write(ending + wire.message_delta("end_turn") + wire.message_stop())
    return response


@asynccontextmanager
async def messages_api() -> AsyncGenerator[str]:
    """Its URL, without `/v1`."""
    app = web.Application()
    app.add_routes([web.post("/v1/messages", _answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
