"""From a write to its showing in the preview, beside the same with a plain Vite."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from forge_lsp.paths import ProjectPath

from . import plain_vite, previews
from .harness import Measurement, Pair, Row, at_most
from .previews import Preview, until_it_answers, until_it_shows

MODULE = "src/App.tsx"
WRITES = 10
REST_S = 0.2
"""Vite's watcher loses a write that comes right after another of the same file."""
_marks = itertools.count()


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    project = await plain_vite.create(scratch)
    async with plain_vite.running(project) as plain, previews.provider(scratch) as provider:
        sandbox = await previews.create(provider)
        # The pool warms up another one, which would be in the way.
        await previews.pool_filled(provider)
        preview = Preview(sandbox.url)
        try:
            await until_it_answers(preview)
            in_sandbox = partial(sandbox.write, ProjectPath.parse(MODULE))
            in_project = partial(asyncio.to_thread, (project / MODULE).write_bytes)
            yield Pair(
                ours=partial(_shown, preview, in_sandbox), floor=partial(_shown, plain, in_project)
            )
        finally:
            await preview.close()


async def _shown(preview: Preview, write: Callable[[bytes], Awaitable[object]]) -> Measurement:
    taken: list[float] = []
    for _ in range(WRITES):
        await asyncio.sleep(REST_S)
        mark = f"mark-{next(_marks)}-"
        code = f"export default function App() {{ return <p>{mark}</p> }}\n"
        began = time.perf_counter()
        await write(code.encode())
        await until_it_shows(preview, f"/{MODULE}", mark)
        taken.append((time.perf_counter() - began) * 1000)
    return {"": statistics.median(taken)}


ROW = Row("write", "the same file beside a plain Vite", "ms", {"": at_most(1.5)}, _open)
