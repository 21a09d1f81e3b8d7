"""The contract suite runs over every kind of database; each test gets a fresh one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from postgres_cluster import Cluster
from sqlalchemy import text

from forge_lsp.events import Event, Recorded
from forge_lsp.ports.store import JournalEntry, RunRecord, Store
from forge_lsp.store.engine import make_engine, parse_url
from forge_lsp.store.sql import open_store

OpenStore = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that nobody has opened yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/forge.db"
        return
    running: Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        yield url


@pytest.fixture
async def open_another(database_url: str) -> AsyncIterator[OpenStore]:
    """Opens one more store on the database; all are closed at the end."""
    async with AsyncExitStack() as closing:

        async def open_one() -> Store:
            store = await open_store(database_url)
            closing.push_async_callback(store.close)
            return store

        yield open_one


@pytest.fixture
async def store(open_another: OpenStore) -> Store:
    return await open_another()


@pytest.fixture
def execute(database_url: str) -> Iterator[Callable[[str], Awaitable[list[Any]]]]:
    """Runs a statement of its own on the database, past the store; gives the rows."""
    engine = make_engine(parse_url(database_url))

    def at_once(statement: str) -> list[Any]:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return list(result) if result.returns_rows else []

    yield partial(asyncio.to_thread, at_once)
    engine.dispose()


@pytest.fixture
def a_run() -> Callable[..., RunRecord]:
    def make(run_id: str = "run_1", **fields: object) -> RunRecord:
        given: dict[str, object] = {
            "kind": "generate",
            "title": "A counter",
            "project": "file:///app",
            "owner": "process 1",
            "started_at": 1_700_000_000_000,
        }
        return RunRecord(run_id, **(given | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def entries() -> Callable[..., list[JournalEntry]]:
    """Entries of one run, numbered from `first` on."""

    def make(*said: Event, run_id: str = "run_1", first: int = 1) -> list[JournalEntry]:
        return [
            JournalEntry(run_id, Recorded(seq, 1_700_000_000_000 + seq, event))
            for seq, event in enumerate(said, first)
        ]

    return make
