"""A run in a process of its own, followed, cancelled and outlived from here."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from forge_lsp.app import open_engine
from forge_lsp.events import Recorded, RunFinished, RunStarted, TextDelta
from forge_lsp.ports.store import Store
from forge_lsp.runs import Runs
from forge_lsp.settings import Places, Settings

WAIT_S = 30

RUNNING = """
import asyncio, itertools, os, sys
from forge_lsp.runs import Runs
from forge_lsp.store.sql import open_store

async def work(run):
    for index in itertools.count():
        await run.stream_text(f"piece {index};")
        await asyncio.sleep(0.01)

async def main():
    store = await open_store(sys.argv[1])
    runs = Runs(store, coalesce_s=0.0, max_active=9)
    given = {"kind": "generate", "title": "", "project": "file:///app"}
    started = [await runs.start(work, **given) for _ in range(2)]
    print(*(run.id for run in started), flush=True)
    await started[0].finished()
    print("ended", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runs.close()
    await store.close()

asyncio.run(main())
"""


HOLDING = """
import asyncio, os, signal, sys
from forge_lsp.store.sql import open_store

async def main():
    store = await open_store(sys.argv[1])
    with store._engine.connect() as connection:
        wire = connection.connection.driver_connection.pgconn
        wire.exec_(b"BEGIN")
        wire.enter_pipeline_mode()
        wire.send_query_params(b"UPDATE runs SET title = ''", None)
        wire.send_flush_request()
        wire.flush()
        while not wire.is_busy() or wire.get_result() is None:
            wire.consume_input()
        print("holds", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

asyncio.run(main())
"""
"""Stops in the middle of its statements, with every run in its hands."""


class Other:
    """The other process, and the two runs that it carries out."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.first, self.second = self.line().split()

    def line(self) -> str:
        return _of(self.process.stdout).readline().strip()

    def end(self) -> int:
        _of(self.process.stdin).close()
        return self.process.wait(WAIT_S)


def _of(pipe: IO[str] | None) -> IO[str]:
    assert pipe
    return pipe


@contextmanager
def another_process(database_url: str) -> Generator[Other]:
    command = [sys.executable, "-W", "error", "-c", RUNNING, database_url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        try:
            yield Other(process)
        finally:
            process.kill()


@contextmanager
def hanging_process(database_url: str) -> Generator[None]:
    command = [sys.executable, "-c", HOLDING, database_url]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert _of(process.stdout).readline() == "holds\n"
            yield
        finally:
            process.kill()


@pytest.fixture
async def runs(open_another: Callable[[], Awaitable[Store]]) -> AsyncIterator[Runs]:
    runs = Runs(await open_another(), coalesce_s=0.0, max_active=1)
    yield runs
    await runs.close()


async def read(runs: Runs, run_id: str, after: int = 0) -> list[Recorded]:
    async with asyncio.timeout(WAIT_S):
        return [each async for each in runs.subscribe(run_id, after)]


def check_whole(told: list[Recorded]) -> None:
    """It was told from its start to its end, each event once and in order."""
    assert [each.seq for each in told] == list(range(1, len(told) + 1))
    assert isinstance(told[0].event, RunStarted)
    texts = [each.event for each in told if isinstance(each.event, TextDelta)]
    assert [each.text for each in texts] == [f"piece {index};" for index in range(len(texts))]
    assert len(texts) == len(told) - 2


async def test_a_run_in_another_process_is_followed_and_cancelled(
    database_url: str, runs: Runs
) -> None:
    with another_process(database_url) as other:
        reading = asyncio.create_task(read(runs, other.first))
        late = asyncio.create_task(read(runs, other.first, after=20))
        async with asyncio.timeout(WAIT_S), aclosing(runs.subscribe(other.first, 30)) as heard:
            await anext(heard)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        await runs.cancel(other.first)
        told = await reading
        assert loop.time() - asked_at < 5
        check_whole(told)
        last = told[-1].event
        assert isinstance(last, RunFinished)
        assert last.outcome == "cancelled"
        assert await late == told[20:]
        assert await asyncio.to_thread(other.line) == "ended"
        second = await runs.record(other.second)
        assert second.outcome is None
        reading = asyncio.create_task(read(runs, other.second))
        assert await asyncio.to_thread(other.end) == 0
        check_whole(await reading)


async def test_a_run_whose_process_is_killed_ends_for_who_follows_it(
    database_url: str, runs: Runs
) -> None:
    with another_process(database_url) as other:
        reading = asyncio.create_task(read(runs, other.first))
        async with asyncio.timeout(WAIT_S), aclosing(runs.subscribe(other.first, 10)) as heard:
            await anext(heard)
        os.kill(other.process.pid, signal.SIGKILL)
        loop = asyncio.get_running_loop()
        killed_at = loop.time()
        await asyncio.to_thread(other.process.wait, WAIT_S)
        told = await reading
        assert loop.time() - killed_at < 15
    check_whole(told)
    last = told[-1].event
    assert isinstance(last, RunFinished)
    assert (last.outcome, last.code) == ("failed", "interrupted")


async def test_an_engine_ends_what_another_that_was_killed_left_though_nobody_follows(
    database_url: str, tmp_path: Path
) -> None:
    engine = await open_engine(Settings(database_url=database_url), Places.find(tmp_path))
    try:
        with another_process(database_url) as other:
            pass
        async with asyncio.timeout(WAIT_S):
            while True:
                if (await engine.runs.record(other.second)).outcome is not None:
                    break
                await asyncio.sleep(0.05)
        record = await engine.runs.record(other.first)
        assert (record.outcome, record.last_seq > 0) == ("failed", True)
    finally:
        await engine.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_process_that_hangs_is_taken_for_dead_holds_nothing_and_is_refused_when_it_goes_on(
    database_url: str, runs: Runs
) -> None:
    with another_process(database_url) as other:
        async with asyncio.timeout(WAIT_S), aclosing(runs.subscribe(other.first)) as heard:
            await anext(heard)
        with hanging_process(database_url):
            os.kill(other.process.pid, signal.SIGSTOP)
            told = await read(runs, other.first)
        os.kill(other.process.pid, signal.SIGCONT)
        assert await asyncio.to_thread(other.line) == "ended"
        check_whole(told)
        assert await read(runs, other.first) == told
