"""Follows the client's runs and tells the editor about them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types

from forge_lsp import events
from forge_lsp.errors import ForgeError
from forge_lsp.lsp.client import EVENT, Client
from forge_lsp.lsp.configuration import Configuration
from forge_lsp.lsp.progress import Progress
from forge_lsp.lsp.tasks import Tasks

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.runs import Run

OnTurn = Callable[["Engine", "Run", events.Event], None]
"""Is told that a run has its sandbox, and that it has ended."""

MOST_TOLD = 3
"""Problems of one run that a message names."""
MOST_QUOTED_CHARACTERS = 300
"""Of the words of a model that wrote no file."""

TITLES = {
    "generate": "Forge: generating",
    "edit": "Forge: editing",
    "build": "Forge: building",
    "fix": "Forge: mending",
    "skill": "Forge: looking",
    "augmenter": "Forge: augmenting",
    "augmenter_dry_run": "Forge: trying",
    "apply": "Forge: applying",
    "accept": "Forge: accepting",
    "reject": "Forge: rejecting",
    "undo": "Forge: undoing",
    "restore": "Forge: restoring",
    "packages": "Forge: installing packages",
    "sandbox": "Forge: making a sandbox",
    "python": "Forge: running Python",
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

    problems: dict[str, str] = field(default_factory=dict[str, str])
    """What happened, as a sentence, and the cause of it, as the run gave it."""
    files: set[str] = field(default_factory=set[str])
    words: str = ""
    """How the model's reply begins."""

    def take(self, event: events.Event) -> None:
        match event:
            case events.Problem(_, message):
                self.problems[message] = message
            case events.FileDropped(path, reason):
                self._add(f"{path} was left out", reason)
            case events.FileApplied(path, "workspace", ok, reason) if not ok:
                self._add(f"{path} was not changed", reason)
            case events.FileApplied(path, _, ok, reason) if not ok and not self._explains(reason):
                self._add(f"{path} was not changed in the sandbox", reason)
            case events.FileFinished(path):
                self.files.add(path)
            case events.TextDelta(text) if len(self.words) < MOST_QUOTED_CHARACTERS:
                self.words += text
            case _:
                pass

    def besides(self, message: str) -> str:
        """The problems whose causes `message` doesn't give."""
        left = [what for what, cause in self.problems.items() if cause not in message]
        more = len(left) - MOST_TOLD
        return " ".join(left[:MOST_TOLD] + ([f"And {more} more."] if more > 0 else []))

    def quote(self) -> str:
        """What the model said instead of writing files, on one line."""
        words = " ".join(self.words.split())
        if len(words) > MOST_QUOTED_CHARACTERS:
            words = f"{words[: MOST_QUOTED_CHARACTERS - 1]}…"
        return f"It said: “{words}”" if words else ""

    def _add(self, what: str, cause: str) -> None:
        self.problems[f"{what}: {cause.removesuffix('.')}."] = cause

    def _explains(self, reason: str) -> bool:
        """Whether it was told already: a sandbox that isn't there takes no file at all."""
        return any(reason in problem for problem in self.problems)


class Watcher:
    """Follows each run of one client, to its end."""

    def __init__(
        self,
        client: Client,
        configuration: Configuration,
        drained: Callable[[], Awaitable[None]],
        on_turn: OnTurn,
    ) -> None:
        """`drained` waits while the client takes what was sent more slowly than it comes."""
        self._client = client
        self._configuration = configuration
        self._drained = drained
        self._on_turn = on_turn
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
                if self._configuration.wants_events:
                    self._send_event(run.id, recorded)
                if isinstance(recorded.event, events.SandboxReady | events.RunFinished):
                    self._on_turn(engine, run, recorded.event)
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
        if last.outcome == "cancelled":
            return
        shown = self._configuration.shows_reviews
        problems, ready = told.besides(last.message), "" if shown else _ready(engine, run)
        if last.outcome != "completed":
            kind = (
                types.MessageType.Error if last.outcome == "failed" else types.MessageType.Warning
            )
            self._client.show(_joined(problems, last.message, ready), kind)
        elif ready:
            self._client.show(_joined(ready, problems))
        elif problems:
            self._client.show(problems, types.MessageType.Warning)
        elif run.record.kind in ("generate", "edit") and not told.files:
            nothing = "The model changed nothing."
            self._client.show(_joined(nothing, told.quote(), "Say more exactly what you want."))


def _title(run: "Run") -> str:
    what = TITLES.get(run.record.kind, f"Forge: {run.record.kind}")
    return f"{what} ({run.record.title})"


def _ready(engine: "Engine", run: "Run") -> str:
    """What to do about the files that the run left for review; empty where there are none."""
    for each in engine.reviews.pending(run.record.project):
        if each.id == run.id:
            count = len(each.pending)
            are = "1 file is" if count == 1 else f"{count} files are"
            return (
                f"{are} ready for review: accept with a code action, or with forge.review.accept."
            )
    return ""


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
