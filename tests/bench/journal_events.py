"""Events a second through the journal to HTTP clients."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from .event_source import EVENTS
from .harness import Measurement, Pair, Row, at_least
from .processes import announcing, environment, python

CLIENTS = (1, 50)
_names = itertools.count()


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    command = python("tests.bench.event_source", str(scratch))
    connector = aiohttp.TCPConnector(limit=max(CLIENTS))
    async with (
        announcing(command, environment(scratch)) as url,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Pair(
            ours=partial(_rates, session, f"{url}/journal"),
            floor=partial(_rates, session, f"{url}/raw"),
        )


async def _rates(session: aiohttp.ClientSession, url: str) -> Measurement:
    return {_label(clients): await _rate(session, url, clients) for clients in CLIENTS}


async def _rate(session: aiohttp.ClientSession, url: str, clients: int) -> float:
    address = f"{url}/{next(_names)}?clients={clients}"

    async def listen() -> None:
        async with session.get(address) as response:
            response.raise_for_status()
            async for _ in response.content.iter_any():
                pass

    began = time.perf_counter()
    await asyncio.gather(*(listen() for _ in range(clients)))
    return EVENTS / (time.perf_counter() - began)


def _label(clients: int) -> str:
    return "to 1 client" if clients == 1 else f"to {clients} clients"


ROW = Row(
    "events",
    "raw aiohttp writing the same",
    "events/s",
    {_label(clients): at_least(0.5) for clients in CLIENTS},
    _open,
)
