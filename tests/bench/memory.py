"""Resident memory of the language server, idle, before the first model call."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil

from .harness import Measurement, Pair, Row, at_most
from .language_client import language_server
from .processes import environment
from .start import BARE, OURS

QUIET_S = 1.0
PATIENCE_S = 20.0
MEGABYTE = 1_000_000


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    variables = environment(scratch)
    yield Pair(ours=partial(_settled, OURS, variables), floor=partial(_settled, BARE, variables))


async def _settled(command: Sequence[str], variables: Mapping[str, str]) -> Measurement:
    """Once it hasn't changed by 1 % for a second after `initialized`."""
    async with language_server(command, variables) as client:
        await client.initialize()
        client.notify("initialized", {})
        process = psutil.Process(client.pid)
        deadline = time.perf_counter() + PATIENCE_S
        resident, since = process.memory_info().rss, time.perf_counter()
        while time.perf_counter() < min(since + QUIET_S, deadline):
            await asyncio.sleep(0.05)
            now = process.memory_info().rss
            if abs(now - resident) > resident / 100:
                resident, since = now, time.perf_counter()
        return {"": process.memory_info().rss / MEGABYTE}


ROW = Row("memory", "a bare pygls server", "MB", {"": at_most(1.3)}, _open)
