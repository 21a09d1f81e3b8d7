"""A run as the editor's progress bar shows it."""

import asyncio
import secrets
from dataclasses import dataclass

from lsprotocol import types

from forge_lsp import events
from forge_lsp.lsp.client import Client

REPORT_EVERY_S = 0.1
"""At most ten reports a second for each run."""
CHARACTERS_PER_TOKEN = 4
TYPICAL_REPLY_TOKENS = 4_000
"""A reply of this length is thought to be half done: nobody knows how long it will be."""
MODEL_SHARE = 90
"""The part of the bar, in percent, that is left to the writing."""
BUILD_SHARE = 70
"""The same of a build, after whose writing a review and augmenters come."""


@dataclass(slots=True)
class ProgressText:
    """What to say about a run after the events so far; pure."""

    message: str = "Starting..."
    percentage: int = 0
    """Never goes back."""
    _writing: str = ""
    _characters: int = 0
    _files: int = 0
    _total: int | None = None
    _is_build: bool = False

    def take(self, event: events.Event) -> bool:
        """Take an event in; says whether there is something new to show."""
        match event:
            case events.Stage(message, done, total):
                self.message = message
                if done is not None and total:
                    self._total = total
                    self._reach(round((BUILD_SHARE if self._is_build else 100) * done / total))
            case events.Planned(_, manifest):
                self._is_build = True
                self._total = len(manifest)
                self.message = _said(event)
            case events.FileDelta(_, text) if self._is_build:
                # Those who write at once stream no text, only their files.
                self._characters += len(text)
                self._say_writing()
            case events.FileStarted(path):
                self._writing = path
                self._files += 1
                self._say_writing()
            case events.TextDelta(text):
                self._characters += len(text)
                self._say_writing()
                return bool(self._writing)
            case events.FileFinished(path) | events.FileDropped(path):
                if path == self._writing:
                    self._writing = ""
                return False
            case _:
                said = _said(event)
                self.message = said or self.message
                return bool(said)
        return True

    def _say_writing(self) -> None:
        tokens = self._characters // CHARACTERS_PER_TOKEN
        if not self._writing:
            return
        count = f"{self._files}/{self._total}" if self._total else f"file {self._files}"
        self.message = f"Writing {self._writing} · {short_count(tokens)} tokens · {count}"
        if self._is_build:
            return
        self._reach(round(MODEL_SHARE * tokens / (tokens + TYPICAL_REPLY_TOKENS)))

    def _reach(self, percentage: int) -> None:
        self.percentage = max(self.percentage, min(percentage, 99))


def _said(event: events.Event) -> str:
    """The sentence that tells of an event; empty where it has none."""
    match event:
        case events.PackageInstalled(name, version):
            return f"Installed {name} {version}"
        case events.SandboxReady():
            return "The preview is ready"
        case events.Planned(summary, manifest):
            return f"Planned {len(manifest)} file(s): {summary}"
        case events.Reviewed(_, patched):
            return f"Reviewed; {len(patched)} file(s) patched"
        case events.AugmenterChanged(alias, status):
            return f"Augmenter {alias}: {status}"
        case events.DiagnosticsChanged(errors):
            return f"{errors} error(s) in the app" if errors else "No errors in the app"
        case _:
            return ""


def short_count(count: int) -> str:
    """`count` as people say it: 950, 1.2k, 31k."""
    if count < 1_000:
        return str(count)
    return f"{count / 1_000:.1f}k" if count < 10_000 else f"{count // 1_000}k"


class Progress:
    """One run's bar, or two messages where the editor has no bars."""

    def __init__(self, client: Client, title: str) -> None:
        self._client = client
        self._title = title
        self._text = ProgressText()
        self._token: types.ProgressToken | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_sent = 0.0
        self._loop = asyncio.get_running_loop()

    @property
    def token(self) -> types.ProgressToken | None:
        """By which the editor cancels."""
        return self._token

    async def begin(self, given: types.ProgressToken | None) -> None:
        """Show it, under the token that came with the command, else under one of ours."""
        if given is not None:
            self._token = given
        elif self._client.has_progress:
            token = f"forge-{secrets.token_hex(8)}"
            self._token = token if await self._client.create_progress(token) else None
        if self._token is None:
            self._client.show(self._title)
            return
        # Both fields always: an editor that saw no percentage at first ignores later ones.
        begin = types.WorkDoneProgressBegin(
            title=self._title,
            cancellable=True,
            message=self._text.message,
            percentage=self._text.percentage,
        )
        self._send(begin)

    def take(self, event: events.Event) -> None:
        """Show what an event changes, now or when the next report is due."""
        if not self._text.take(event) or self._token is None or self._timer is not None:
            return
        wait_s = self._last_sent + REPORT_EVERY_S - self._loop.time()
        if wait_s <= 0:
            self._report()
        else:
            self._timer = self._loop.call_later(wait_s, self._report)

    def end(self, outcome: str) -> None:
        """Take the bar away, with the outcome; nothing may be said under its token after."""
        if self._timer is not None:
            self._timer.cancel()
        if self._token is None:
            self._client.show(f"{self._title}: {outcome}")
            return
        self._send(types.WorkDoneProgressEnd(message=outcome))
        self._token = None

    def _report(self) -> None:
        self._timer = None
        self._last_sent = self._loop.time()
        self._send(
            types.WorkDoneProgressReport(
                cancellable=True, message=self._text.message, percentage=self._text.percentage
            )
        )

    def _send(self, value: object) -> None:
        if self._token is not None:
            self._client.notify(types.PROGRESS, types.ProgressParams(self._token, value))
