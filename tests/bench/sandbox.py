"""From asking for a sandbox to its page, beside making a project by hand."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from forge_lsp.sandbox.local import LocalProvider

from . import plain_vite, previews
from .harness import Measurement, Pair, Row, at_most
from .previews import Preview, until_it_answers


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    async with previews.provider(scratch) as provider:
        # The first one prepares the template where it isn't there, and has the pool filled.
        await (await previews.create(provider)).kill()
        yield Pair(ours=partial(_sandbox, provider), floor=partial(_by_hand, scratch))


async def _sandbox(provider: LocalProvider) -> Measurement:
    await previews.pool_filled(provider)
    began = time.perf_counter()
    sandbox = await previews.create(provider)
    preview = Preview(sandbox.url)
    try:
        await until_it_answers(preview)
        return {"": (time.perf_counter() - began) * 1000}
    finally:
        await preview.close()
        await sandbox.kill()


async def _by_hand(scratch: Path) -> Measurement:
    began = time.perf_counter()
    async with plain_vite.running(await plain_vite.create(scratch)):
        return {"": (time.perf_counter() - began) * 1000}


ROW = Row(
    "sandbox", "npm create vite, npm install, vite", "ms", {"": at_most(0.1)}, _open, floor_rounds=1
)
