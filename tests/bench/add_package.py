"""Adding a package to a running app, beside plain npm in a plain Vite project."""

import itertools
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from forge_lsp.ports.sandbox import Sandbox

from . import plain_vite, previews
from .harness import Measurement, Pair, Row, at_most

VERSIONS = ("1.11.0", "1.11.1", "1.11.2", "1.11.3", "1.11.4", "1.11.5", "1.11.6", "1.11.7")
PACKAGE = "dayjs"
"""Small, and without packages of its own: what counts is the way there."""


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    project = await plain_vite.create(scratch)
    async with previews.provider(scratch) as provider:
        sandbox = await previews.create(provider)
        ours, theirs = itertools.cycle(VERSIONS), itertools.cycle(VERSIONS)
        yield Pair(ours=partial(_sandbox, sandbox, ours), floor=partial(_by_hand, project, theirs))


async def _sandbox(sandbox: Sandbox, versions: Iterator[str]) -> Measurement:
    began = time.perf_counter()
    report = await sandbox.install([f"{PACKAGE}@{next(versions)}"])
    took_ms = (time.perf_counter() - began) * 1000
    if report.failed:
        raise RuntimeError(report.failed[0].reason)
    return {"": took_ms}


async def _by_hand(project: Path, versions: Iterator[str]) -> Measurement:
    began = time.perf_counter()
    await plain_vite.npm(
        project, "install", "--no-audit", "--no-fund", f"{PACKAGE}@{next(versions)}"
    )
    return {"": (time.perf_counter() - began) * 1000}


ROW = Row("add a package", "npm install, plain", "ms", {"": at_most(1.5)}, _open)
