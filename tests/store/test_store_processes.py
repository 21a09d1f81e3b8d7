"""Several processes and one database, and what is left when one of them dies."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from forge_lsp.events import TextDelta
from forge_lsp.ports.store import RunRecord, Store
from forge_lsp.store.sql import open_store

APPENDING = """
import asyncio, itertools, os, sys
from forge_lsp.events import Recorded, TextDelta
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.store.sql import open_store

async def main():
    store = await open_store(sys.argv[1])
    await store.create_run(RunRecord("run_1", "generate", "", "file:///app", "child", 1))
    seq = 0
    for size in itertools.cycle([1, 7, 1, 300]):
        group = [Recorded(seq + n, 1, TextDelta(f"piece {seq + n}", 0)) for n in range(1, size + 1)]
        await store.append([JournalEntry("run_1", recorded) for recorded in group])
        seq += size
        os.write(1, b"%d\\n" % seq)

asyncio.run(main())
"""

OPENING = """
import asyncio, sys
from forge_lsp.ports.store import RunRecord
from forge_lsp.store.sql import open_store

async def main():
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    sys.stdin.readline()
    store = await open_store(sys.argv[1])
    await store.create_run(RunRecord(sys.argv[2], "generate", "", "file:///app", "child", 1))
    await store.close()

asyncio.run(main())
"""


def _start(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("lines", [1, 40, 203])
async def test_what_was_acknowledged_outlives_a_kill(
    database_url: str, open_another: Callable[[], Awaitable[Store]], lines: int
):
    with _start(APPENDING, database_url) as child:
        assert child.stdout
        try:
            heard = [await asyncio.to_thread(child.stdout.readline) for _ in range(lines)]
        finally:
            child.kill()
        acknowledged = int([*heard, *child.stdout.read().splitlines()][-1])
        assert child.wait(timeout=30) == -signal.SIGKILL

    store = await open_another()
    record = await store.run("run_1")
    assert record
    assert record.last_seq >= acknowledged > 0
    events = await store.events("run_1", 0, record.last_seq + 1)
    assert [each.seq for each in events] == list(range(1, record.last_seq + 1))
    assert all(each.event == TextDelta(f"piece {each.seq}", 0) for each in events)
    assert await store.interrupt_orphans() == ["run_1"]


async def test_processes_that_open_a_fresh_database_at_once_all_succeed(
    database_url: str, open_another: Callable[[], Awaitable[Store]]
):
    children = [_start(OPENING, database_url, f"run_{number}") for number in range(4)]
    try:
        for child in children:
            assert child.stdout
            assert child.stdin
            assert await asyncio.to_thread(child.stdout.readline) == b"ready\n"
        for child in children:
            assert child.stdin
            child.stdin.write(b"go\n")
            child.stdin.flush()
        codes = [await asyncio.to_thread(child.wait, 60) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()

    assert codes == [0, 0, 0, 0]
    store = await open_another()
    assert len(await store.runs(limit=9)) == 4


async def test_stores_that_open_a_fresh_database_at_once_in_one_loop_all_succeed(
    database_url: str, a_run: Callable[..., RunRecord]
):
    stores = await asyncio.gather(*(open_store(database_url) for _ in range(5)))
    try:
        for number, store in enumerate(stores):
            await store.create_run(a_run(f"run_{number}"))
        assert len(await stores[0].runs(limit=9)) == 5
    finally:
        await asyncio.gather(*(store.close() for store in stores))
