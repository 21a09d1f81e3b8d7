"""What outlives the process; `store` implements it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.events import Outcome, Recorded
from forge_lsp.ports.model import Message


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the store lists it."""

    id: str
    kind: str
    title: str
    project: str
    owner: str
    """The process that runs it: see `Store.interrupt_orphans`."""
    started_at: int
    """Milliseconds since the epoch, as every time here."""
    ended_at: int | None = None
    outcome: Outcome | None = None
    last_seq: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    account: str = "owner"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event on its way into the journal."""

    run_id: str
    recorded: Recorded


class Store(Protocol):
    """What outlives the process. Every method raises `StoreFailed` when the database won't."""

    async def create_run(self, run: RunRecord) -> None: ...

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Commit all of `entries` in one transaction, in order.

        `Usage` and `RunFinished` events also bring their run's record up to date.
        """
        ...

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` events of the run with `seq > after`, in order."""
        ...

    async def run(self, run_id: str) -> RunRecord | None: ...

    async def runs(self, *, limit: int, project: str | None = None) -> Sequence[RunRecord]:
        """The newest first."""
        ...

    async def interrupt_orphans(self, is_alive: Callable[[str], bool]) -> Sequence[str]:
        """End (failed, code `interrupted`) each open run whose owner `is_alive` denies."""
        ...

    async def save_change_set(self, change_set: ChangeSet) -> None:
        """Write it or bring it up to date; file contents are kept once, by their hash."""
        ...

    async def change_set(self, change_set_id: str) -> ChangeSet | None: ...

    async def change_sets(self, project: str, *, limit: int) -> Sequence[ChangeSet]:
        """The newest first."""
        ...

    async def add_messages(self, conversation: str, messages: Sequence[Message]) -> None: ...

    async def messages(self, conversation: str, *, limit: int) -> Sequence[Message]:
        """The last `limit` messages, the oldest of them first."""
        ...

    async def close(self) -> None: ...
