"""The other servers on a PostgreSQL database: on any machine, known by a lock and a heartbeat.

Each has a session of its own, on a thread. It holds an advisory lock, which ends with it, writes a
heartbeat by the database's own clock, and hears what the others commit. A session that was cut
off is made anew; what may have been missed meanwhile is told as news of everything.

Every session bears its server's key in its name, so that those of a server that hangs are known:
what one holds in the middle of its statements the database leaves to it for ever.
"""

import logging
import secrets
import threading
import time
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, event, text

from forge_lsp.store import notices
from forge_lsp.store.watching import CANCELS, Watches

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
SILENT_MS = 10_000
"""Who is silent for so long is dead though its lock is held: its machine hangs or is cut off."""
UNLOCKED_MS = 3_000
"""Whose lock is gone is dead after so long, in which it could have come back."""
RETRY_S = 0.5
_LISTEN_S = 0.2
"""How long a closing waits at most until the thread takes notice."""
_NAME_LENGTH = 40
"""Of a session, in front of the key; PostgreSQL keeps 63 characters of both."""
_FORGET_MS = 24 * 60 * 60 * 1000

_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
# Right after the database was started nobody has had the time to come back.
_SILENCE = (
    f"{_NOW} - greatest(heartbeat_at,"
    " CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000 AS bigint))"
)
_IS_LOCKED = (
    "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (CAST(classid AS bigint) << 32 | CAST(objid AS bigint)) = lock_key)"
)
_living = text(
    "SELECT id FROM servers WHERE id IN :owners"  # noqa: S608  All of it is written here.
    f" AND {_SILENCE} < CASE WHEN {_IS_LOCKED} THEN {SILENT_MS} ELSE {UNLOCKED_MS} END"
).bindparams(bindparam("owners", expanding=True))
_lock = text("SELECT pg_try_advisory_lock(:key)")
_beat = text(
    f"INSERT INTO servers (id, lock_key, heartbeat_at) VALUES (:id, :key, {_NOW})"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET heartbeat_at = {_NOW}"
)
_end_silent = text(
    "SELECT pg_terminate_backend(sessions.pid) FROM pg_stat_activity AS sessions JOIN servers"  # noqa: S608
    " ON sessions.application_name LIKE '% ' || to_hex(lock_key)"
    " WHERE sessions.datname = current_database() AND sessions.usename = current_user"
    f" AND {_SILENCE} >= {SILENT_MS}"
)
_leave = text(
    f"DELETE FROM servers WHERE id = :id OR {_NOW} - heartbeat_at > {_FORGET_MS}"  # noqa: S608
)


class Servers:
    """Those who share the database, and what they commit."""

    def __init__(self, engine: Engine) -> None:
        self._key = secrets.randbits(62)
        self.owner = f"server:{self._key:016x}"
        self.watches = Watches()
        self._engine = engine
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._attend, name="database session", daemon=True)
        self._has_lock = False
        self._first: Connection | None = None
        event.listen(engine, "do_connect", self._sign)
        # What was connected so far has no name.
        engine.dispose()

    def open(self) -> None:
        """Be known to the others before they may see this server's runs."""
        self._first = self._enter()
        self._thread.start()

    def watch(self) -> None:
        """It listens all the time."""

    def living(self, connection: Connection, owners: Collection[str]) -> set[str]:
        """The servers that hold their lock and were heard of lately."""
        # A process id, as SQLite's owners have, is no server's.
        named = [owner for owner in owners if owner.startswith("server:")]
        return set(connection.scalars(_living, {"owners": named})) if named else set()

    def close(self) -> None:
        """Leave; blocks until that is done."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _sign(
        self, _dialect: object, _record: object, _args: object, named: dict[str, Any]
    ) -> None:
        name = str(named["application_name"])[:_NAME_LENGTH]
        named["application_name"] = f"{name} {self._key:x}"

    def _enter(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            # The pool must not hand the lock and the listening on to somebody else.
            connection.detach()
            for channel in (notices.RUNS, notices.CANCELS, notices.FRAGMENTS):
                connection.exec_driver_sql(f"LISTEN {channel}")
            self._has_lock = False
            self._beat(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _beat(self, connection: Connection) -> None:
        if not self._has_lock:
            # A session of ours that the database hasn't given up yet may still hold it.
            self._has_lock = bool(connection.scalar(_lock, {"key": self._key}))
        connection.execute(_beat, {"id": self.owner, "key": self._key})

    def _attend(self) -> None:
        is_cut_off = False
        while not self._closing.is_set():
            try:
                connection, self._first = self._first or self._enter(), None
                is_cut_off = False
                with connection:
                    self.watches.tell_all()
                    self._listen(connection)
                    connection.execute(_leave, {"id": self.owner})
            except Exception as error:  # noqa: BLE001  Whatever it was: without a session we die.
                if not is_cut_off:
                    log.warning("the session with the database broke: %s", type(error).__name__)
                is_cut_off = True
                self._closing.wait(RETRY_S)

    def _listen(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        beat_at = time.monotonic()
        while not self._closing.is_set():
            for notice in driver.notifies(timeout=_LISTEN_S):
                if notice.channel == notices.FRAGMENTS:
                    self.watches.tell_of_fragments(notice.payload)
                else:
                    of = CANCELS if notice.channel == notices.CANCELS else notice.payload
                    self.watches.tell(of)
            if time.monotonic() - beat_at >= HEARTBEAT_S:
                self._beat(connection)
                connection.execute(_end_silent)
                beat_at = time.monotonic()
