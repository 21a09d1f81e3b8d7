"""The change sets of this process's projects, with what waits for review in memory."""

import asyncio
from collections.abc import Callable, Sequence

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.clock import now_ms
from forge_lsp.errors import NotFound
from forge_lsp.ports.store import Store

REMEMBERED = 50
"""Change sets of a project that are looked through for what is pending."""


class ChangeSets:
    """Reads and writes them, and tells whenever what is pending is another than before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, list[ChangeSet]] = {}
        self._loading = asyncio.Lock()
        self._listeners: list[Callable[[str], None]] = []

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Have `listener(project)` called whenever what is pending in a project changed."""
        self._listeners.append(listener)

    def pending(self, project: str) -> Sequence[ChangeSet]:
        """What waits for a decision, the newest first; from memory."""
        return tuple(self._pending.get(project, ()))

    async def load(self, project: str) -> None:
        """Take up what an earlier process left pending."""
        async with self._loading:
            if project not in self._pending:
                known = await self._store.change_sets(project, limit=REMEMBERED)
                self._pending[project] = [each for each in known if each.is_pending]
                self._tell(project)

    async def find(self, project: str, change_set_id: str | None) -> ChangeSet:
        """The change set named, else the newest pending one; raises `NotFound`."""
        await self.load(project)
        if change_set_id is not None:
            return await self.read(project, change_set_id)
        for known in self.pending(project):
            latest = await self.read(project, known.id)
            if latest.is_pending:
                return latest
        raise NotFound("Nothing waits for review.")

    async def read(self, project: str, change_set_id: str) -> ChangeSet:
        """The change set as it is now: another process may have decided on it."""
        found = await self._store.change_set(change_set_id)
        if found is None or found.project != project:
            raise NotFound(f"There is no change {change_set_id} in this project.")
        if self._remember(found):
            self._tell(project)
        return found

    async def accepted(self, project: str, *, after: int = -1) -> Sequence[ChangeSet]:
        """Those of which something can be undone that was accepted later, the latest first."""
        return await self._store.accepted_change_sets(project, after=after)

    async def last_accepted(self, project: str) -> ChangeSet | None:
        """The one in which something was accepted last that can be undone."""
        found = await self._store.accepted_change_sets(project, limit=1)
        return found[0] if found else None

    async def time_to_accept(self, project: str) -> int:
        """Now, but after all that was accepted in the project so far."""
        last = await self.last_accepted(project)
        return max(now_ms(), (last.accepted_at or 0) + 1 if last else 0)

    async def save(self, *change_sets: ChangeSet, expected: ChangeSet | None = None) -> bool:
        """Keep change sets of one project, all of them or none; none, and False, where another
        process has decided on the one `expected` since it was read."""
        project = change_sets[0].project
        await self.load(project)
        if not await self._store.save_change_sets(change_sets, expected):
            return False
        # Lenses and code actions, which ask for them next, wait for nothing.
        await asyncio.to_thread(_hunks, change_sets)
        for change_set in change_sets:
            self._remember(change_set)
        self._tell(project)
        return True

    def _remember(self, change_set: ChangeSet) -> bool:
        """Whether what is pending is another than before."""
        known = self._pending.get(change_set.project, [])
        if change_set in known:
            return False
        others = [each for each in known if each.id != change_set.id]
        waiting = [change_set, *others] if change_set.is_pending else others
        waiting.sort(key=lambda each: each.created_at, reverse=True)
        self._pending[change_set.project] = waiting
        return waiting != known

    def _tell(self, project: str) -> None:
        for listener in self._listeners:
            listener(project)


def _hunks(change_sets: Sequence[ChangeSet]) -> None:
    for change_set in change_sets:
        for change in change_set.pending:
            _ = change.hunks
