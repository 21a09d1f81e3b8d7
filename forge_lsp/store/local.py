"""The other processes on a SQLite file: on this machine, known by their process ids.

SQLite tells nobody of a commit. It has a number, though, that changes with each commit of another
connection and costs next to nothing to ask for: as long as somebody waits, a thread does.
"""

import logging
import threading
from collections.abc import Collection

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from forge_lsp.processes import is_alive, this_process
from forge_lsp.store import journals, schema
from forge_lsp.store.watching import CANCELS, Watches

log = logging.getLogger(__name__)

POLL_S = 0.05
_BATCH = 500
_version = text("PRAGMA data_version")
_runs = schema.runs.c
_newest_step = text("SELECT coalesce(max(rowid), 0) FROM fragment_versions")
_projects_since = text(
    "SELECT DISTINCT fragments.project FROM fragment_versions JOIN fragments"
    " ON fragments.id = fragment_versions.fragment_id WHERE fragment_versions.rowid > :step"
)


class LocalPeers:
    """Those who share the file, and what they commit."""

    def __init__(self, engine: Engine) -> None:
        self.owner = this_process()
        self.watches = Watches()
        self._engine = engine
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Nothing has to be done before others may see this process's runs."""

    def watch(self) -> None:
        """Begin to look for news, once somebody waits for them."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._attend, name="database watch", daemon=True)
            self._thread.start()

    def living(self, _connection: Connection, owners: Collection[str]) -> set[str]:
        """The processes that still run."""
        return {owner for owner in owners if is_alive(owner)}

    def close(self) -> None:
        """Stop looking; blocks until that is done."""
        self._closing.set()
        self.watches.close()
        if self._thread is not None:
            self._thread.join()

    def _attend(self) -> None:
        while not self._closing.is_set():
            self.watches.wanted.wait()
            try:
                with self._engine.connect() as connection:
                    self._poll(connection)
            except SQLAlchemyError as error:
                # Whoever waits asks for themselves now and then, and is told what is wrong.
                log.warning("what others write is not seen at once: %s", type(error).__name__)
                self._closing.wait(1)

    def _poll(self, connection: Connection) -> None:
        version = None
        seen: dict[str, int] = {}
        """Of each run that is watched, up to where its journal was told of."""
        step = 0
        """The last version of any fragment that was told of."""
        while self.watches.wanted.is_set() and not self._closing.wait(POLL_S):
            before, version = version, connection.scalar(_version)
            watched = self.watches.watched
            if version != before or not seen.keys() >= set(watched):
                seen = self._tell(connection, watched, seen)
                step = self._tell_of_fragments(connection, step)

    def _tell_of_fragments(self, connection: Connection, step: int) -> int:
        newest = connection.scalar(_newest_step) or 0
        if newest != step:
            # A smaller number than before: some were deleted, and numbers are given again.
            since = step if newest > step else 0
            for project in connection.scalars(_projects_since, {"step": since}).all():
                self.watches.tell_of_fragments(project)
        return newest

    def _tell(
        self, connection: Connection, watched: list[str], seen: dict[str, int]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(watched), _BATCH):
            batch = watched[start : start + _BATCH]
            rows = connection.execute(select(_runs.id, _runs.last_seq).where(_runs.id.in_(batch)))
            found.update((row.id, row.last_seq) for row in rows)
        if CANCELS in watched and journals.cancels_asked(connection, self.owner):
            self.watches.tell(CANCELS)
        for of in watched:
            if seen.get(of) != found.setdefault(of, -1):
                self.watches.tell(of)
        return found
