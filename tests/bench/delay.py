"""How much later than the model said it an HTTP client hears it."""

import statistics
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from .harness import Measurement, Pair, Row, at_most
from .messages_api import DELTAS, delays_ms, messages_api
from .processes import announcing, environment, python

TOKEN = "forge_bench"


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    async with messages_api() as upstream:
        variables = environment(
            scratch,
            ANTHROPIC_BASE_URL=upstream,
            ANTHROPIC_API_KEY="none",
            FORGE_RUNS_COALESCE_S="0",
            FORGE_TOKEN=TOKEN,
        )
        pass_through = python("tests.bench.pass_through", upstream)
        async with (
            announcing(python("forge_lsp", "serve", "--port", "0"), variables) as ours,
            announcing(pass_through, variables) as raw,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        ):
            body = {"prompt": "say something"}
            asks_ours = partial(_median, session, f"{ours}/api/generate/stream", body)
            # The first request imports the SDK.
            await asks_ours()
            yield Pair(ours=asks_ours, floor=partial(_median, session, raw, body))


async def _median(session: aiohttp.ClientSession, url: str, body: Mapping[str, str]) -> Measurement:
    delays: list[float] = []
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        async for chunk in response.content.iter_any():
            delays += delays_ms(chunk)
    if len(delays) < DELTAS:
        raise RuntimeError(f"{len(delays)} of {DELTAS} deltas came through")
    return {"p50": statistics.median(delays[:DELTAS])}


ROW = Row("delay", "a raw aiohttp pass-through", "ms", {"p50": at_most(2)}, _open)
