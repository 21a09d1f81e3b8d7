"""The database engine: the one place where SQLite and PostgreSQL differ."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from forge_lsp.errors import StoreFailed
from forge_lsp.settings import Places

BUSY_TIMEOUT_S = 10.0
"""How long SQLite waits for another process's transaction; `?timeout=` in the URL overrides it."""
_RETRY_S = 0.02
_CONNECTIONS = 6
"""To PostgreSQL, kept open: one writes, four read, one listens."""
_POSTGRESQL = ("postgresql+psycopg", "postgresql", "postgres")
_PATIENCE = {
    "application_name": "forge-lsp",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "options": "-c idle_in_transaction_session_timeout=5s",
}
"""How long PostgreSQL may be silent, in seconds, the last but one in milliseconds, and how long a
server of ours that hangs may hold what others wait for, between its statements; what the URL says
goes before it. Without these a server whose machine is gone is waited for by the quarter of an
hour."""
_SCHEMA_LOCK = 0x666F726765
"""The key of PostgreSQL's advisory lock: "forge" in ASCII."""
_TIDYING_LOCK = _SCHEMA_LOCK + 1


def default_url(places: Places) -> str:
    """The URL of the SQLite database in the state folder, which is made, for its owner alone."""
    try:
        places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"The folder {places.state} can't be made.") from error
    return URL.create("sqlite", database=str(places.state / "forge.db")).render_as_string()


def parse_url(url: str) -> URL:
    """The database's URL, with the driver that fits and what bounds our patience filled in."""
    parsed = make_url(url)
    if parsed.drivername in _POSTGRESQL:
        return parsed.set(drivername="postgresql+psycopg").update_query_dict(
            {**_PATIENCE, **parsed.query}
        )
    if parsed.get_backend_name() != "sqlite":
        return parsed
    if not parsed.database or ":memory:" in parsed.database or "uri" in parsed.query or parsed.host:
        raise StoreFailed(
            "The database's URL names no file that can be written.",
            remedy="Give FORGE_DATABASE_URL the form sqlite:////path/to/file.db.",
        )
    return parsed.set(drivername="sqlite").update_query_dict(
        {"timeout": str(BUSY_TIMEOUT_S), **parsed.query}
    )


def make_engine(url: URL) -> Engine:
    """An engine whose connections are set up; a missing SQLite file is made, mode 0600."""
    if url.get_backend_name() != "sqlite":
        # A connection that was cut off meanwhile is found out before it is used.
        engine = create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=_CONNECTIONS
        )
        event.listen(engine, "connect", _replace_nul)
        return engine
    _make_file(Path(url.database or ""))
    # The driver then begins each transaction at its first INSERT, UPDATE or DELETE and takes
    # the write lock at once: a lock that is only upgraded later can't be waited for.
    engine = create_engine(url, hide_parameters=True, connect_args={"isolation_level": "IMMEDIATE"})
    event.listen(engine, "connect", _set_up)
    return engine


def prepare(engine: Engine) -> None:
    """Switch a SQLite file to its write-ahead log, which it keeps from then on."""
    if engine.dialect.name == "sqlite":
        _use_write_ahead_log(engine, float(str(engine.url.query["timeout"])))


def lock_schema(connection: Connection) -> None:
    """Keep every other process from changing the schema until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")


def lock_tidying(connection: Connection) -> None:
    """Keep every other process from tidying up until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TIDYING_LOCK})")


def insert_new(connection: Connection, table: Table) -> Any:
    """An INSERT that passes over rows which are there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def _make_file(path: Path) -> None:
    # SQLite gives its log and index the mode of the database file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _set_up(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # Enough with a write-ahead log: what is committed outlives the process, however it dies;
    # only a crash of the whole machine can take the last commits, and never harms the file.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _replace_nul(connection: Any, _record: object) -> None:
    """PostgreSQL's texts can't hold U+0000, which JSON escapes and nothing else of ours does."""
    from psycopg.types.string import StrDumper

    class WithoutNul(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, WithoutNul)


def _use_write_ahead_log(engine: Engine, timeout_s: float) -> None:
    # SQLite itself doesn't wait for its turn when two processes do this at once.
    deadline = time.monotonic() + timeout_s
    with engine.connect() as connection:
        while True:
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except OperationalError as error:
                code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
                if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_RETRY_S)
