"""What outlives the process; `store` implements it."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.changes.summaries import ChangeSummary
from forge_lsp.events import Outcome, Recorded
from forge_lsp.ports.accounts import AccountStore
from forge_lsp.ports.conversations import ConversationStore
from forge_lsp.ports.following import FollowedStore
from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ProjectStore

JournalState = Literal["whole", "compacted", "removed"]
REMOVED = "The events of the run {} are kept no longer."
"""What whoever asks for them is told."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the store lists it."""

    id: str
    kind: str
    title: str
    project: str
    owner: str
    """Who runs it: `Store.owner` of the store through which it was begun."""
    started_at: int
    """Milliseconds since the epoch, as every time here."""
    ended_at: int | None = None
    outcome: Outcome | None = None
    last_seq: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    account: str = "owner"
    cancel_asked_at: int | None = None
    """When another process asked its owner to end it."""
    heard_at: int | None = None
    """When somebody in another process was last known to listen to it, while it was open."""
    journal: JournalState = "whole"
    """What `Store.tidy` has made of its events."""
    journal_bytes: int = 0
    """The size of its events as JSON."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event on its way into the journal."""

    run_id: str
    recorded: Recorded


class Watch(Protocol):
    """Hears of what others commit, from when on it was opened."""

    async def changed(self, timeout_s: float) -> None:
        """Wait until there may be something new since the last call, or for so long."""
        ...

    def tell(self) -> None:
        """There is something new; from any thread."""
        ...


class Store(AccountStore, ProjectStore, ConversationStore, FollowedStore, Protocol):
    """What outlives the process. Every method raises `StoreFailed` when the database won't."""

    @property
    def owner(self) -> str:
        """Names who has opened this store, so that others can ask whether they still live."""
        ...

    async def living(self, owners: Collection[str]) -> Collection[str]:
        """Those of the owners who still live."""
        ...

    async def create_run(self, run: RunRecord) -> None: ...

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Commit all of `entries` in one transaction, in order.

        `Usage` and `RunFinished` events also bring their run's record up to date.
        """
        ...

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` events of the run with `seq > after`, in order.

        Raises `Gone` where what comes right after `after` is kept no longer, or was joined with
        what comes before it.
        """
        ...

    def watch_run(self, run_id: str) -> AbstractContextManager[Watch]:
        """Hears of events that others append to the run."""
        ...

    def watch_fragments(self, project: str) -> AbstractContextManager[Watch]:
        """Hears that one of the project's fragments has a new version, or that there is a new
        one; by whomever, this process too."""
        ...

    async def run(self, run_id: str) -> RunRecord | None: ...

    async def runs(self, *, limit: int, project: str | None = None) -> Sequence[RunRecord]:
        """The newest first."""
        ...

    async def runs_named(self, run_ids: Sequence[str]) -> Sequence[RunRecord]:
        """Those of the runs that there are, in no order."""
        ...

    async def note_listener(self, run_id: str) -> None:
        """Let the owner of an open run know that somebody listens to it here."""
        ...

    async def ask_to_cancel(self, run_id: str) -> None:
        """Ask the owner of an open run to cancel it."""
        ...

    async def cancels_asked(self) -> Sequence[str]:
        """The open runs of this store's owner that somebody asked to cancel."""
        ...

    def watch_cancels(self) -> AbstractContextManager[Watch]:
        """Hears that this store's owner was asked to cancel a run."""
        ...

    async def interrupt_orphans(self, lost: Collection[str] = ()) -> Sequence[str]:
        """End (failed, code `interrupted`) each open run whose owner is dead; gives their ids.

        So are those that are `lost`: their living owner can't go on with them.
        """
        ...

    async def tidy(self, *, keep_days: float, keep_mb: float, compact_after_h: float) -> None:
        """Make the journals of ended runs smaller, a little at a time; the runs stay listed.

        Removes the events of those that ended longer ago than `keep_days`, and of the oldest as
        long as all take more than `keep_mb`. Of those that ended longer ago than
        `compact_after_h` it joins the pieces of text and drops those of files, whose wholes are
        there too.
        """
        ...

    async def save_change_set(self, change_set: ChangeSet) -> None:
        """Write it or bring it up to date; file contents are kept once, by their hash."""
        ...

    async def save_change_sets(
        self, sets: Sequence[ChangeSet], expected: ChangeSet | None = None
    ) -> bool:
        """The same of several, all of them or none: where the one `expected` isn't so any more,
        none is written, and False given."""
        ...

    async def change_set(self, change_set_id: str) -> ChangeSet | None: ...

    async def change_sets(self, project: str, *, limit: int) -> Sequence[ChangeSet]:
        """The newest first."""
        ...

    async def accepted_change_sets(
        self, project: str, *, after: int = -1, limit: int | None = None
    ) -> Sequence[ChangeSet]:
        """Those of which something can be undone that was accepted after that time.

        The one comes first in which something was accepted last.
        """
        ...

    async def change_summaries(
        self, project: str, *, limit: int, before: str | None = None
    ) -> Sequence[ChangeSummary]:
        """The newest first, in one query; with `before`, an id, those that are older than it."""
        ...

    async def add_messages(self, conversation: str, messages: Sequence[Message]) -> None: ...

    async def messages(self, conversation: str, *, limit: int) -> Sequence[Message]:
        """The last `limit` messages, the oldest of them first."""
        ...

    async def model_tokens(self, account: str, since: int) -> int:
        """What the account's runs that were started since then took, in and out."""
        ...

    async def owners_of_open_runs(self, account: str) -> Sequence[str]:
        """The process that runs it, for each of the account's runs that haven't ended."""
        ...

    async def close(self) -> None: ...
