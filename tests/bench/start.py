"""From spawning the language server to its answer to `initialize`."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from .harness import Measurement, Pair, Row, at_most
from .language_client import language_server
from .processes import environment, python

BARE = python("tests.bench.bare_server")
OURS = python("forge_lsp", "lsp")


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    variables = environment(scratch)
    yield Pair(ours=partial(_spawn, OURS, variables), floor=partial(_spawn, BARE, variables))


async def _spawn(command: Sequence[str], variables: Mapping[str, str]) -> Measurement:
    began = time.perf_counter()
    async with language_server(command, variables) as client:
        await client.initialize()
        return {"": (time.perf_counter() - began) * 1000}


ROW = Row("start", "a bare pygls server", "ms", {"": at_most(1.25)}, _open)
