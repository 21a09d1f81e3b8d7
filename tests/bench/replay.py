"""A long run's journal, read through `Runs` and read straight from SQLite."""

import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from forge_lsp.events import Recorded, TextDelta
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.runs import Runs
from forge_lsp.store.sql import SqlStore, open_store

from .harness import Measurement, Pair, Row, at_most

EVENTS = 100_000
GROUP = 1_000
RUN = RunRecord("run_bench", "bench", "", "", "", 0, ended_at=1, outcome="completed")


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    database = scratch / "forge.db"
    store = await open_store(f"sqlite:///{database}")
    runs = Runs(store, coalesce_s=0, max_active=1)
    try:
        await _record(store)

        async def ours() -> Measurement:
            began = time.perf_counter()
            count = 0
            async for _ in runs.subscribe(RUN.id):
                count += 1
            return _taken(began, count)

        async def floor() -> Measurement:
            began = time.perf_counter()
            with sqlite3.connect(database) as connection:
                query = "SELECT seq, at, payload FROM events WHERE run_id = ? ORDER BY seq"
                count = len(connection.execute(query, (RUN.id,)).fetchall())
            connection.close()
            return _taken(began, count)

        yield Pair(ours, floor)
    finally:
        await store.close()


def _taken(began: float, count: int) -> Measurement:
    taken = (time.perf_counter() - began) * 1000
    if count != EVENTS:
        raise RuntimeError(f"{count} of {EVENTS} events came back")
    return {"": taken}


async def _record(store: SqlStore) -> None:
    await store.create_run(RUN)
    for first in range(1, EVENTS + 1, GROUP):
        numbers = range(first, first + GROUP)
        group = [Recorded(number, 0, TextDelta("const x = 1;\n", number)) for number in numbers]
        await store.append([JournalEntry(RUN.id, recorded) for recorded in group])


ROW = Row("replay", "reading them from SQLite", "ms", {"": at_most(3)}, _open)
