"""Follows the client's runs and tells the editor about them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types

from forge_lsp import events
from forge_lsp.errors import ForgeError
from forge_lsp.lsp.client import EVENT, Client
from forge_lsp.lsp.progress import Progress
from forge_lsp.lsp.tasks import Tasks

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.runs import Run

MOST_TOLD = 3
"""Problems of one run that a message names."""

TITLES = {
    "generate": "Forge: generating",
    "edit": "Forge: editing",
    "apply": "Forge: applying",
    "accept": "Forge: accepting",
    "reject": "Forge: rejecting",
    "undo": "Forge: undoing",
    "packages": "Forge: installing packages",
    "sandbox": "Forge: making a sandbox",
}
OUTCOMES = {
    "completed": "done",
    "cancelled": "cancelled",
    "truncated": "cut off",
    "refused": "refused",
    "failed": "failed",
}


@dataclass(slots=True)
class _Told:
    """What a run said that its end must mention."""

    problems: list[str] = field(default_factory=list[str])
    files: set[str] = field(default_factory=set[str])

    def take(self, event: events.Event) -> None:
        match event:
            case events.Problem(_, message):
                self.problems.append(message)
            case events.FileDropped(path, reason):
                self.problems.append(f"{path} was left out: {reason}.")
            case events.FileApplied(path, target, ok, reason) if not ok:
                where = "" if target == "workspace" else " in the sandbox"
                self.problems.append(f"{path} was not changed{where}: {reason}.")
            case events.FileFinished(path):
                self.files.add(path)
            case _:
                pass


class Watcher:
    """Follows each run of one client, to its end."""

    def __init__(self, client: Client, drained: Callable[[], Awaitable[None]]) -> None:
        """`drained` waits while the client takes what was sent more slowly than it comes."""
        self.sends_events = False
        """The client wants every event, not only the progress."""
        self._client = client
        self._drained = drained
        self._runs: dict[str, types.ProgressToken | None] = {}
        self._tasks = Tasks()

    def follow(self, engine: "Engine", run: "Run", token: types.ProgressToken | None) -> None:
        """Tell the editor about the run from now on."""
        self._runs[run.id] = token
        self._tasks.start(self._follow(engine, run, token), f"watch {run.id}")

    @property
    def newest(self) -> str | None:
        """The run that this client started last of those under way."""
        return next(reversed(self._runs), None)

    def run_of(self, token: types.ProgressToken) -> str | None:
        """The run whose bar has this token."""
        return next((run_id for run_id, known in self._runs.items() if known == token), None)

    async def close(self) -> None:
        """Stop telling; the runs are the engine's to end."""
        await self._tasks.close()

    async def _follow(
        self, engine: "Engine", run: "Run", token: types.ProgressToken | None
    ) -> None:
        progress = Progress(self._client, _title(run))
        told = _Told()
        try:
            await progress.begin(token)
            self._runs[run.id] = progress.token
            async for recorded in engine.runs.subscribe(run.id):
                told.take(recorded.event)
                progress.take(recorded.event)
                if self.sends_events:
                    self._send_event(run.id, recorded)
                if isinstance(recorded.event, events.RunFinished):
                    del self._runs[run.id]
                    progress.end(OUTCOMES[recorded.event.outcome])
                    self._conclude(engine, run, recorded.event, told)
                await self._drained()
        except ForgeError as error:
            progress.end("failed")
            self._client.show_failure(error)
        finally:
            self._runs.pop(run.id, None)

    def _send_event(self, run_id: str, recorded: events.Recorded) -> None:
        event: Any = msgspec.json.decode(events.encode(recorded.event))
        self._client.notify(EVENT, {"runId": run_id, "seq": recorded.seq, "event": event})

    def _conclude(
        self, engine: "Engine", run: "Run", last: events.RunFinished, told: _Told
    ) -> None:
        """At most one message for each run that somebody has to know of."""
        problems = _summary(told.problems)
        if last.outcome == "cancelled":
            return
        if last.outcome != "completed":
            kind = (
                types.MessageType.Error if last.outcome == "failed" else types.MessageType.Warning
            )
            self._client.show(last.message, kind)
            return
        pending = [each for each in engine.reviews.pending(run.record.project) if each.id == run.id]
        if pending:
            count = len(pending[0].pending)
            are = "1 file is" if count == 1 else f"{count} files are"
            ready = (
                f"{are} ready for review: accept with a code action, or with forge.review.accept."
            )
            self._client.show(f"{ready} {problems}".strip())
        elif problems:
            self._client.show(problems, types.MessageType.Warning)
        elif run.record.kind in ("generate", "edit") and not told.files:
            self._client.show("The model changed nothing. Say more exactly what you want.")


def _title(run: "Run") -> str:
    what = TITLES.get(run.record.kind, f"Forge: {run.record.kind}")
    return f"{what} ({run.record.title})"


def _summary(problems: list[str]) -> str:
    more = len(problems) - MOST_TOLD
    told = problems[:MOST_TOLD] + ([f"And {more} more."] if more > 0 else [])
    return " ".join(told)
