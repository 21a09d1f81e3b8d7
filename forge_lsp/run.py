"""A run under way in this process: what its work says goes into the journal, then to listeners."""

import asyncio
from collections.abc import Sequence

import msgspec

from forge_lsp.clock import now_ms
from forge_lsp.errors import StoreFailed
from forge_lsp.events import (
    Event,
    FileDelta,
    FileDropped,
    FileFinished,
    FileStarted,
    Recorded,
    RunFinished,
    TextDelta,
    Usage,
)
from forge_lsp.journal import Journal
from forge_lsp.ports.store import RunRecord
from forge_lsp.tail import Tail

MAX_BACKLOG = 1000
"""Events that may wait for their commit before the one who makes more of them has to wait."""
_REPLY = ""

CANCELLED = RunFinished("cancelled", message="The run was cancelled.")


class Run:
    """A run under way in this process."""

    def __init__(self, record: RunRecord, journal: Journal, coalesce_s: float) -> None:
        self.record = record
        self.id = record.id
        self.listeners = 0
        """How many subscribers it has now."""
        self.heard_at: int | None = None
        """When it was last heard elsewhere, as far as is known; for `Runs` alone."""
        self.is_ending = False
        """It is saying its last words."""
        self.cut_off = CANCELLED
        """Its last word where its task is cancelled; for `Runs` alone."""
        self._journal = journal
        self._coalesce_s = coalesce_s
        self._next_seq = 1
        self._next_text = 0
        self._tokens_used = 0
        self._held: dict[str, FileDelta | TextDelta] = {}
        """What waits for the next flush: the reply's text, and each file's body by its path."""
        self._flush_timer: asyncio.TimerHandle | None = None
        self._open_files: dict[str, None] = {}
        self._tail = Tail()

    async def append(self, event: Event) -> None:
        """Record an event; once this returns it is committed and shown.

        Raises `StoreFailed` when the journal can't be written, which ends the run.
        """
        self.tell(event)
        await self._journal.settle(self.id)

    def tell(self, event: Event) -> None:
        """Record an event without waiting until it is committed and shown."""
        self._flush()
        if isinstance(event, FileStarted):
            self._open_files[event.path] = None
        elif isinstance(event, FileFinished | FileDropped):
            self._open_files.pop(event.path, None)
        self._put(event)

    async def stream_text(self, text: str) -> None:
        """Record a piece of the model's reply, coalesced with what comes right after it.

        Raises `StoreFailed` once the journal could not be written.
        """
        before = self._held.pop(_REPLY, None)
        joined = before.text + text if before else text
        await self._hold(_REPLY, TextDelta(joined, self._next_text))

    async def stream_file(self, path: str, text: str) -> None:
        """Record a piece of a file's body, coalesced likewise."""
        before = self._held.pop(path, None)
        await self._hold(path, FileDelta(path, before.text + text if before else text))

    async def finished(self) -> None:
        """Wait until its last event is committed."""
        await self._tail.ended()

    @property
    def is_finished(self) -> bool:
        """Whether nothing comes any more."""
        return self._tail.is_ended

    @property
    def is_broken(self) -> bool:
        """Whether its last word could not be recorded."""
        return self._tail.is_broken

    def after(self, seq: int) -> Sequence[Recorded] | None:
        """Up to a page of what came after `seq`; None where memory doesn't reach back so far."""
        return self._tail.after(seq)

    async def changed(self) -> None:
        """Wait for the next event."""
        await self._tail.changed()

    async def finish(self, last: RunFinished) -> None:
        """Close what is open, then say the last word with what the run took; for `Runs` alone."""
        self.is_ending = True
        why = "the run was cancelled" if last.outcome == "cancelled" else "the run ended before it"
        try:
            for path in tuple(self._open_files):
                await self.append(FileDropped(path, why))
            await self.append(self._measured(last))
        except StoreFailed as error:
            self._tail.end(error)
        else:
            self._tail.end()

    def _measured(self, last: RunFinished) -> RunFinished:
        # A clock that was set back meanwhile is no reason for a negative time.
        taken = max(0, now_ms() - self.record.started_at)
        return msgspec.structs.replace(last, tokens_used=self._tokens_used, duration_ms=taken)

    async def _hold(self, of: str, delta: TextDelta | FileDelta) -> None:
        # Who only streams waits for no commit, and must not go on for ever when they fail.
        self._journal.check(self.id)
        self._held[of] = delta
        if self._coalesce_s == 0:
            self._flush()
        elif self._flush_timer is None:
            loop = asyncio.get_running_loop()
            self._flush_timer = loop.call_later(self._coalesce_s, self._flush)
        if self._journal.backlog > MAX_BACKLOG:
            self._flush()
            # Not all of it: what is made meanwhile is committed next without a pause.
            await self._journal.has_moved()

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        held, self._held = self._held, {}
        for delta in held.values():
            if isinstance(delta, TextDelta):
                self._next_text += 1
            self._put(delta)

    def _put(self, event: Event) -> None:
        if isinstance(event, Usage):
            self._tokens_used += event.input_tokens + event.output_tokens
        recorded = Recorded(self._next_seq, now_ms(), event)
        self._next_seq += 1
        self._journal.put(self.id, recorded, self._tail.publish)
