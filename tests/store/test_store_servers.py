"""Who lives, on PostgreSQL: a lock and a heartbeat by the database's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from postgres_cluster import Cluster
from sqlalchemy import text

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded, Stage
from forge_lsp.ports.store import JournalEntry, RunRecord, Store
from forge_lsp.store.engine import make_engine, parse_url
from forge_lsp.store.servers import HEARTBEAT_S, SILENT_MS
from forge_lsp.store.sql import SqlStore, open_store

WAIT_S = 30

OpenStore = Callable[[], Awaitable[Store]]
Execute = Callable[[str], Awaitable[list[Any]]]

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def test_a_store_lives_from_its_opening_to_its_closing(open_another: OpenStore) -> None:
    one, other = await open_another(), await open_another()
    assert one.owner != other.owner
    nobody = "server:0000000000000000"
    assert set(await one.living([one.owner, other.owner, nobody])) == {one.owner, other.owner}
    await other.close()
    assert await one.living([other.owner]) == set()
    assert await one.living(["1:1", ""]) == set()


async def test_a_server_that_hangs_within_a_transaction_keeps_nobody_from_ending_its_runs(
    store: Store, database_url: str, a_run: Callable[..., RunRecord]
) -> None:
    await store.create_run(a_run("run_1", owner="server:0000000000000000"))
    engine = make_engine(parse_url(database_url))
    with engine.connect() as hanging:
        hanging.execute(text("UPDATE runs SET title = 'mine' WHERE id = 'run_1'"))
        async with asyncio.timeout(WAIT_S):
            assert await store.interrupt_orphans() == ["run_1"]
        hanging.invalidate()
    engine.dispose()


@pytest.mark.parametrize(
    ("has_lock", "silent_ms", "lives"),
    [(True, SILENT_MS - 3_000, True), (True, SILENT_MS + 1, False), (False, 60_000, False)],
)
async def test_a_server_is_dead_that_is_silent_or_lost_its_lock(
    store: Store, execute: Execute, database_url: str, has_lock: bool, silent_ms: int, lives: bool
) -> None:
    key, owner = 0x3FFFFFFFFFFFFFF1, "server:3ffffffffffffff1"
    engine = make_engine(parse_url(database_url))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holding:
        if has_lock:
            holding.execute(text(f"SELECT pg_advisory_lock({key})"))
        now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
        await execute(f"INSERT INTO servers VALUES ('{owner}', {key}, {now} - {silent_ms})")

        async def is_as_expected() -> bool:
            # A database that was started a moment ago gives everybody the time to come back.
            await execute(
                f"UPDATE servers SET heartbeat_at = {now} - {silent_ms} WHERE id = '{owner}'"
            )
            return (owner in await store.living([owner])) == lives

        await until(is_as_expected)
    engine.dispose()


async def test_a_session_that_is_cut_off_is_made_anew(
    open_another: OpenStore, execute: Execute, a_run: Callable[..., RunRecord]
) -> None:
    one, other = await open_another(), await open_another()
    await one.create_run(a_run(owner=one.owner))
    before = await execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
    assert len(before) == 2
    await execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'",
    )

    async def is_back() -> bool:
        locks = await execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
        return len(locks) == 2 and not set(locks) & set(before)

    await until(is_back)
    assert await other.interrupt_orphans() == []
    with other.watch_run("run_1") as watch:
        # What there was to tell when it came back.
        await watch.changed(0.5)
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = asyncio.create_task(watch.changed(WAIT_S))
        await one.append([JournalEntry("run_1", _said(1))])
        await waiting
        assert loop.time() - began < HEARTBEAT_S


def _said(seq: int) -> Recorded:
    return Recorded(seq, seq, Stage(f"{seq}"))


async def test_a_clock_that_jumps_kills_nobody(
    open_another: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await open_another(), await open_another()
    monkeypatch.setattr("time.time_ns", lambda: 4_000_000_000 * 10**9)
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    assert await one.living([other.owner]) == {other.owner}


async def test_a_database_that_is_gone_for_a_while_is_used_again(
    cluster: Cluster, database_url: str, a_run: Callable[..., RunRecord]
) -> None:
    store = await open_store(database_url)
    peer = await open_store(database_url)
    await store.create_run(a_run(owner=store.owner))
    await store.append([JournalEntry("run_1", _said(1))])
    cluster.stop()
    try:
        for _ in range(2):
            with pytest.raises(StoreFailed, match="can't be reached") as caught:
                await store.append([JournalEntry("run_1", _said(2))])
            assert "its server runs" in caught.value.for_people()
            with pytest.raises(StoreFailed, match="can't be reached"):
                await store.run("run_1")
    finally:
        cluster.start()
    await store.append([JournalEntry("run_1", _said(2))])
    assert len(await store.events("run_1", 0, 9)) == 2
    # Nobody was there to beat, and yet nobody is taken for dead.
    assert await peer.interrupt_orphans() == []
    assert await peer.living([store.owner]) == {store.owner}
    await store.close()
    await peer.close()


async def test_a_database_that_may_only_be_read_is_read(
    store: SqlStore, database_url: str, execute: Execute, a_run: Callable[..., RunRecord]
) -> None:
    await store.create_run(a_run())
    name = parse_url(database_url).database
    await execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store._engine.dispose()
    with pytest.raises(StoreFailed, match="takes no changes") as caught:
        await store.create_run(a_run("run_2"))
    assert "FORGE_DATABASE_URL" in caught.value.for_people()
    assert await store.run("run_1") == a_run()


async def test_a_password_is_in_no_error(
    database_url: str, a_run: Callable[..., RunRecord]
) -> None:
    url = parse_url(database_url).set(password="hunter2")
    store = await open_store(url.render_as_string(hide_password=False))
    await store.create_run(a_run())
    for wrong in (url.set(database="nowhere"), url.set(username="nobody_known")):
        with pytest.raises(StoreFailed, match="can't be reached") as caught:
            await open_store(wrong.render_as_string(hide_password=False))
        assert "hunter2" not in repr(caught.value) + caught.value.for_people()
    with pytest.raises(StoreFailed) as caught:
        await store.create_run(a_run())
    assert "hunter2" not in caught.value.for_people()
    await store.close()


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_every_usual_name_of_the_database_is_taken(database_url: str, name: str) -> None:
    store = await open_store(f"{name}:{database_url.partition(':')[2]}")
    assert await store.runs(limit=1) == []
    await store.close()


async def test_what_postgresql_can_not_hold_is_replaced(
    store: Store, a_run: Callable[..., RunRecord]
) -> None:
    await store.create_run(a_run(title="a\x00b"))
    found = await store.run("run_1")
    assert found
    assert found.title == "a\ufffdb"
