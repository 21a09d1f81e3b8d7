import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from gated_store import GatedStore, open_gated_store

from forge_lsp import upkeep as upkeep_module
from forge_lsp.errors import StoreFailed
from forge_lsp.events import Event, Recorded, RunFinished, RunStarted, TextDelta
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.runs import Runs
from forge_lsp.settings import RunSettings
from forge_lsp.upkeep import Upkeep

WAIT_S = 10


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[GatedStore]:
    store = await open_gated_store(tmp_path)
    yield store
    await store.close()


@pytest.fixture
async def upkeep(
    store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], None]]:
    monkeypatch.setattr(upkeep_module, "ORPHANS_EVERY_S", 0.01)
    monkeypatch.setattr(upkeep_module, "TIDY_FIRST_S", 0.01)
    monkeypatch.setattr(upkeep_module, "TIDY_EVERY_S", 0.01)
    runs = Runs(store, coalesce_s=0.0, max_active=1)
    upkeep = Upkeep(runs, store, RunSettings())
    yield upkeep.start
    await upkeep.close()


async def record(store: GatedStore, run_id: str, owner: str, *, ended_at: int | None) -> None:
    await store.create_run(RunRecord(run_id, "generate", "", "file:///app", owner, 1))
    said: list[Event] = [RunStarted("generate", ""), TextDelta("a", 0), TextDelta("b", 1)]
    if ended_at is not None:
        said.append(RunFinished("completed"))
    at = ended_at or 1
    await store.append(
        [JournalEntry(run_id, Recorded(seq, at, event)) for seq, event in enumerate(said, 1)]
    )


async def until_state(store: GatedStore, run_id: str, state: tuple[str | None, str]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            run = await store.run(run_id)
            if run and (run.outcome, run.journal) == state:
                return
            await asyncio.sleep(0.005)


async def test_orphans_are_ended_and_old_journals_made_smaller(
    store: GatedStore, upkeep: Callable[[], None]
) -> None:
    two_days_ago = int((time.time() - 2 * 24 * 3600) * 1000)
    await record(store, "run_old", "999999999:1", ended_at=two_days_ago)
    await record(store, "run_ancient", "999999999:1", ended_at=1)
    await record(store, "run_alive", store.owner, ended_at=None)
    upkeep()
    await record(store, "run_dead", "999999999:1", ended_at=None)
    await until_state(store, "run_dead", ("failed", "whole"))
    await until_state(store, "run_old", ("completed", "compacted"))
    await until_state(store, "run_ancient", ("completed", "removed"))
    await until_state(store, "run_alive", (None, "whole"))


async def test_a_store_that_fails_for_a_while_stops_nothing(
    store: GatedStore,
    upkeep: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreFailed("The disk is full.")

    with monkeypatch.context() as failing, caplog.at_level(logging.WARNING):
        failing.setattr(GatedStore, "interrupt_orphans", fail)
        failing.setattr(GatedStore, "tidy", fail)
        upkeep()
        async with asyncio.timeout(WAIT_S):
            while True:
                told = caplog.text
                if "were not ended" in told and "were not tidied up" in told:
                    break
                await asyncio.sleep(0.005)
    await record(store, "run_dead", "999999999:1", ended_at=1)
    await until_state(store, "run_dead", ("completed", "removed"))
