import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from forge_lsp.errors import StoreFailed
from forge_lsp.events import Recorded, Stage
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.store import engine, migrations, schema
from forge_lsp.store.sql import open_store


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, schema.metadata)


@pytest.mark.parametrize("version", [None, *migrations.known()])
async def test_every_earlier_version_becomes_the_schema_of_today(
    database_url: str, version: str | None
):
    if version is not None:
        before = engine.make_engine(engine.parse_url(database_url))
        with before.begin() as connection:
            engine.lock_schema(connection)
            migrations.upgrade(connection, version)
            assert migrations.current(connection) == version
        before.dispose()

    store = await open_store(database_url)
    await store.create_run(RunRecord("run_1", "generate", "", "file:///app", "me", 1))
    await store.append([JournalEntry("run_1", Recorded(1, 1, Stage("works")))])
    await store.close()

    now = create_engine(engine.parse_url(database_url))
    with now.connect() as connection:
        assert _differences(connection) == []
        assert migrations.current(connection) == migrations.newest()
    now.dispose()


def test_the_versions_are_numbered_without_gaps():
    assert migrations.known() == [f"{number + 1:04}" for number in range(len(migrations.known()))]


async def test_a_database_of_a_newer_version_is_left_alone(
    database_url: str, execute: Callable[[str], Awaitable[list[Any]]]
):
    await (await open_store(database_url)).close()
    await execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreFailed) as caught:
        await open_store(database_url)

    assert "newer version" in caught.value.for_people()
    assert "Update forge-lsp" in caught.value.for_people()
    assert await execute("SELECT version_num FROM alembic_version") == [("9999",)]


def _modules_after(statement: str) -> set[str]:
    printing = f"{statement}\nimport sys\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", printing], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ran.stdout.split())


def test_the_package_itself_loads_no_database_code():
    assert not {"sqlalchemy", "alembic"} & _modules_after("import forge_lsp.store")


async def test_opening_an_up_to_date_database_does_not_load_alembic(database_url: str):
    await (await open_store(database_url)).close()
    opening = f"""
import asyncio
from forge_lsp.store.sql import open_store
async def main():
    await (await open_store({database_url!r})).close()
asyncio.run(main())"""
    loaded = _modules_after(opening)
    assert "sqlalchemy" in loaded
    assert "alembic" not in loaded


def test_migrating_prints_nothing_and_leaves_logging_alone(database_url: str):
    opening = f"""
import asyncio, logging
root = logging.getLogger()
kept = (root.level, list(root.handlers), logging.getLogger("mine").disabled)
from forge_lsp.store.sql import open_store
async def main():
    await (await open_store({database_url!r})).close()
asyncio.run(main())
assert kept == (root.level, list(root.handlers), logging.getLogger("mine").disabled)"""
    ran = subprocess.run(
        [sys.executable, "-c", opening], check=False, capture_output=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
