"""What people are told when the database won't, and what they must not be told."""
# ruff: noqa: ASYNC240 (nobody else is in these tests' loops who would wait for their files)

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Stage
from forge_lsp.ports.model import Message
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.settings import Places
from forge_lsp.store.sql import SqlStore, default_url, open_store

SECRET = "what the model wrote"
NOBODY = 65534

MakeEntries = Callable[..., list[JournalEntry]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "forge.db"


@pytest.fixture
async def impatient(path: Path) -> AsyncIterator[SqlStore]:
    """A store that waits for locks for a moment only."""
    store = await open_store(f"sqlite:///{path}?timeout=0.05")
    yield store
    await store.close()


def _told(caught: pytest.ExceptionInfo[StoreFailed]) -> str:
    told = caught.value.for_people()
    assert caught.value.remedy
    for hidden in (SECRET, "INSERT", "SELECT", "PRAGMA", "sqlite3"):
        assert hidden not in told
    return told


async def test_a_locked_database(
    impatient: SqlStore, path: Path, a_run: Callable[..., RunRecord], entries: MakeEntries
):
    await impatient.create_run(a_run())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed) as caught:
        await impatient.append(entries(Stage(SECRET)))
    other.execute("ROLLBACK")
    other.close()

    assert "is locked by another process" in _told(caught)
    await impatient.append(entries(Stage("now it works")))


async def test_a_full_disk(path: Path, a_run: Callable[..., RunRecord], entries: MakeEntries):
    def leave_little_room(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 100").close()

    event.listen(Pool, "connect", leave_little_room)
    try:
        store = await open_store(f"sqlite:///{path}")
        await store.create_run(a_run())
        with pytest.raises(StoreFailed) as caught:
            await store.append(entries(Stage("first"), Stage(SECRET * 50_000)))

        assert "no room left" in _told(caught)
        assert await store.events("run_1", 0, 9) == []
        await store.append(entries(Stage("small")))
        assert len(await store.events("run_1", 0, 9)) == 1
        await store.close()
    finally:
        event.remove(Pool, "connect", leave_little_room)


@contextmanager
def _as_nobody() -> Generator[None]:
    """Root may write what is read-only, so for a while we are somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="forge-store-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def test_a_read_only_database(
    open_folder: Path, a_run: Callable[..., RunRecord], entries: MakeEntries
):
    path = open_folder / "forge.db"
    store = await open_store(f"sqlite:///{path}")
    await store.create_run(a_run())
    await store.close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    try:
        with _as_nobody(), pytest.raises(StoreFailed) as caught:
            await open_store(f"sqlite:///{path}")
    finally:
        open_folder.chmod(0o755)

    assert "can't be written" in _told(caught)
    assert str(path) in _told(caught)


@pytest.mark.parametrize("damage", [b"not a database at all " * 500, b"SQLite format 3\x00" * 999])
async def test_a_damaged_database(path: Path, damage: bytes):
    path.write_bytes(damage)
    with pytest.raises(StoreFailed) as caught:
        await open_store(f"sqlite:///{path}")

    told = _told(caught)
    assert "is damaged, or is no database" in told
    assert str(path) in told
    assert path.read_bytes() == damage


async def test_a_database_that_is_damaged_further_in(path: Path):
    store = await open_store(f"sqlite:///{path}")
    await store.add_messages("chat", [Message("user", SECRET * 100)] * 200)
    await store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)

    async def open_and_read() -> None:
        store = await open_store(f"sqlite:///{path}")
        try:
            await store.messages("chat", limit=500)
        finally:
            await store.close()

    with pytest.raises(StoreFailed) as caught:
        await open_and_read()
    assert "is damaged" in _told(caught)


async def test_an_event_that_this_version_does_not_know(
    impatient: SqlStore, path: Path, a_run: Callable[..., RunRecord], entries: MakeEntries
):
    await impatient.create_run(a_run())
    await impatient.append(entries(Stage("known")))
    tampering = sqlite3.connect(path)
    tampering.execute("UPDATE events SET payload = ?", (f'{{"type": "{SECRET}"}}',))
    tampering.commit()
    tampering.close()

    with pytest.raises(StoreFailed) as caught:
        await impatient.events("run_1", 0, 9)
    assert "Update forge-lsp" in _told(caught)


async def test_a_folder_that_is_missing_and_a_folder_for_a_file(tmp_path: Path):
    for url in (f"sqlite:///{tmp_path}/missing/forge.db", f"sqlite:///{tmp_path}"):
        with pytest.raises(StoreFailed) as caught:
            await open_store(url)
        assert "can't be written" in _told(caught)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense with a hunter2",
        "nosuchdatabase://me:hunter2@127.0.0.1/forge",
        "postgresql+nosuchdriver://me:hunter2@127.0.0.1/forge",
        "postgresql://me:hunter2@127.0.0.1:1/forge",
        "sqlite://me:hunter2@host/forge.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:hunter2?mode=memory&uri=true",
        "",
    ],
)
async def test_urls_that_lead_nowhere(url: str):
    with pytest.raises(StoreFailed) as caught:
        await open_store(url)
    assert "FORGE_DATABASE_URL" in _told(caught)
    assert "hunter2" not in _told(caught)


async def test_the_default_database_is_its_owners_alone(tmp_path: Path):
    places = Places(tmp_path / "c", tmp_path / "a b" / "100% ?#ü" / "state", tmp_path / "k")
    umask = os.umask(0)
    try:
        store = await open_store(default_url(places))
        await store.add_messages("chat", [Message("user", "hello")])
    finally:
        os.umask(umask)

    assert stat.S_IMODE(places.state.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in places.state.iterdir()}
    assert modes == dict.fromkeys(["forge.db", "forge.db-shm", "forge.db-wal"], 0o600)
    await store.close()

    again = await open_store(default_url(places))
    assert await again.messages("chat", limit=9) == [Message("user", "hello")]
    await again.close()


def test_a_state_folder_that_can_not_be_made(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreFailed) as caught:
        default_url(Places(tmp_path, tmp_path / "file" / "state", tmp_path))
    assert "state" in _told(caught)
