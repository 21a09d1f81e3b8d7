"""The SQLite store, whose commits a test can hold back or let fail."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from forge_lsp.ports.store import JournalEntry
from forge_lsp.store.sql import SqlStore, open_store


class GatedStore(SqlStore):
    """Commits while its gate is open; raises `broken` in place of a commit while it is set."""

    gate: asyncio.Event
    broken: Exception | None = None
    groups: list[int]
    """How many entries each commit held that was asked for."""

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        self.groups.append(len(entries))
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        await super().append(entries)


async def open_gated_store(folder: Path) -> GatedStore:
    """A store on a database of its own in `folder`, with its gate open."""
    plain = await open_store(f"sqlite:///{folder}/forge.db")
    store = GatedStore(plain._engine, plain._place)
    store.gate = asyncio.Event()
    store.gate.set()
    store.groups = []
    return store
