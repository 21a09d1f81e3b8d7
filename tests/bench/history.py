"""A database with a long history: its runs are listed and one is opened."""

import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

from forge_lsp.events import TextDelta, encode
from forge_lsp.runs import Runs
from forge_lsp.store.sql import SqlStore, open_store

from .harness import Bar, Measurement, Pair, Row

RUNS = 1_000
FULL_RUNS = 10_000
FLOOR_RUNS = 10
EVENTS = 500
"""Of each run."""
PROJECTS = 20
LISTED = 50
MOST_MS = 100.0
LIST_ALL, LIST_PROJECT = "list all runs", "list a project's"
OPEN, LOOK = "open one", "look for orphans"


@asynccontextmanager
async def _open(scratch: Path, count: int) -> AsyncGenerator[Pair]:
    long, short = scratch / "long.db", scratch / "short.db"
    async with _a_history(long, count) as ours, _a_history(short, FLOOR_RUNS) as floor:
        yield Pair(partial(_measure, ours, count), partial(_measure, floor, FLOOR_RUNS))


@asynccontextmanager
async def _a_history(database: Path, count: int) -> AsyncGenerator[SqlStore]:
    await (await open_store(f"sqlite:///{database}")).close()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO runs (id, kind, title, project, owner, started_at, ended_at, outcome,"
            " last_seq, input_tokens, output_tokens, account, journal, journal_bytes)"
            " VALUES (?, 'generate', 'A page', ?, '1:1', ?, ?, 'completed', ?, 0, 0, 'owner',"
            " 'whole', 0)",
            ((_id(n), f"file:///{n % PROJECTS}", n, n, EVENTS) for n in range(count)),
        )
        connection.executemany("INSERT INTO events VALUES (?, ?, 0, ?)", _events(count))
    store = await open_store(f"sqlite:///{database}")
    try:
        yield store
    finally:
        await store.close()


def _events(count: int) -> Iterator[tuple[str, int, str]]:
    payload = encode(TextDelta("const x = 1;\n", 0)).decode()
    for number in range(count):
        yield from ((_id(number), seq, payload) for seq in range(1, EVENTS + 1))


async def _measure(store: SqlStore, count: int) -> Measurement:
    runs = Runs(store, coalesce_s=0, max_active=1)
    return {
        LIST_ALL: await _timed(runs.recent(limit=LISTED)),
        LIST_PROJECT: await _timed(runs.recent(limit=LISTED, project=f"file:///{PROJECTS - 1}")),
        OPEN: await _timed(_read(runs, _id(count // 2))),
        LOOK: await _timed(runs.end_orphans()),
    }


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


async def _read(runs: Runs, run_id: str) -> None:
    count = 0
    async for _ in runs.subscribe(run_id):
        count += 1
    if count != EVENTS:
        raise RuntimeError(f"{count} of {EVENTS} events came back")


def _id(number: int) -> str:
    return f"run_{number:020}"


def _row(count: int) -> Row:
    bar = Bar(f"< {MOST_MS:g} ms", lambda ours, _: ours < MOST_MS)
    bars: dict[str, Bar | None] = dict.fromkeys((LIST_ALL, LIST_PROJECT, OPEN, LOOK), bar)
    return Row("history", f"one of {FLOOR_RUNS} runs", "ms", bars, partial(_open, count=count))


ROW = _row(RUNS)
FULL_ROW = _row(FULL_RUNS)
"""Five million events, which take a minute and a gigabyte."""
