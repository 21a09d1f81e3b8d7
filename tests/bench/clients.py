"""How late the event loop is while 50 runs and 200 clients of one more are streamed to."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from .crowd import CLIENTS, DELTAS, RUNS, TEXT
from .harness import Bar, Measurement, Pair, Row
from .processes import announcing, environment, python

_turns = itertools.count(1)
_PROMPT = Bar("p99 < 50 ms", lambda ours, _: ours < 50)


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    command = python("tests.bench.crowd", str(scratch))
    async with (
        announcing(command, environment(scratch)) as url,
        aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        yield Pair(ours=partial(_while_streaming, session), floor=partial(_lateness, session))


async def _while_streaming(session: aiohttp.ClientSession) -> Measurement:
    turn = str(next(_turns))
    names = [f"run{number}" for number in range(RUNS)] + ["shared"] * CLIENTS
    async with AsyncExitStack() as stack:
        responses = [
            await stack.enter_async_context(session.get(f"/stream/{turn}/{name}")) for name in names
        ]
        reading = [asyncio.create_task(response.read()) for response in responses]
        found = await _lateness(session, turn=turn)
        for data in await asyncio.gather(*reading):
            _check(data)
    return found


async def _lateness(session: aiohttp.ClientSession, **query: str) -> Measurement:
    async with session.get("/lateness", params=query) as response:
        response.raise_for_status()
        return await response.json()


def _check(data: bytes) -> None:
    events = [json.loads(line[6:]) for line in data.splitlines() if line]
    heard = "".join(each["data"]["content"] for each in events if each["type"] == "stream")
    if heard != TEXT * DELTAS or events[-1]["type"] != "complete":
        raise RuntimeError(f"a client heard {len(heard)} of {len(TEXT) * DELTAS} characters")


ROW = Row(
    "clients",
    "the same process idle",
    "ms late",
    {"p50": None, "p99": _PROMPT},
    _open,
)
