"""What is so with SQLite alone."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from forge_lsp.ports.store import RunRecord
from forge_lsp.store.engine import make_engine, parse_url, prepare
from forge_lsp.store.sql import open_store


async def test_opening_waits_while_the_log_can_not_be_switched(tmp_path: Path):
    reading = sqlite3.connect(tmp_path / "forge.db", isolation_level=None)
    reading.executescript("CREATE TABLE mine (x); BEGIN")
    reading.execute("SELECT * FROM mine").fetchall()

    opening = asyncio.create_task(open_store(f"sqlite:///{tmp_path}/forge.db"))
    await asyncio.wait([opening], timeout=0.3)
    assert not opening.done()
    reading.close()
    store = await opening

    with closing(sqlite3.connect(tmp_path / "forge.db")) as looking:
        assert looking.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.close()


async def test_the_log_is_switched_by_many_at_once(tmp_path: Path):
    # SQLite refuses one in fifty of these at once, without waiting for its timeout.
    for round_number in range(60):
        url = parse_url(f"sqlite:///{tmp_path}/{round_number}.db")
        engines = [make_engine(url) for _ in range(4)]
        await asyncio.gather(*(asyncio.to_thread(prepare, engine) for engine in engines))
        for engine in engines:
            engine.dispose()


async def test_a_reader_does_not_wait_for_a_writer(a_run: Callable[..., RunRecord], tmp_path: Path):
    store = await open_store(f"sqlite:///{tmp_path}/forge.db")
    await store.create_run(a_run())
    writing = sqlite3.connect(tmp_path / "forge.db", isolation_level=None)
    try:
        writing.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(5):
            assert await store.run("run_1") == a_run()
    finally:
        writing.close()
        await store.close()


def test_a_closed_store_leaves_no_thread_and_no_open_file(tmp_path: Path):
    threads = threading.active_count()

    async def use_and_close() -> None:
        store = await open_store(f"sqlite:///{tmp_path}/forge.db")
        await asyncio.gather(*(store.runs(limit=1) for _ in range(8)))
        await store.close()

    asyncio.run(use_and_close())
    assert threading.active_count() == threads

    kept = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in kept if path.is_relative_to(tmp_path)]
    assert [path.name for path in tmp_path.iterdir()] == ["forge.db"]
