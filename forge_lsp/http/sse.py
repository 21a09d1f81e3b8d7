"""Server-sent events: what a run says, in the words of the two streams under /api."""

from collections.abc import Iterator, Sequence
from typing import Protocol, assert_never

import msgspec

from forge_lsp import events
from forge_lsp.events import EditType, Event, Recorded, RunFinished

_encoder = msgspec.json.Encoder()

Payload = dict[str, object]

HEARTBEAT: Payload = {"type": "heartbeat", "message": "Generating..."}


def encode(payload: Payload) -> bytes:
    """One event of the wire: `data:`, the JSON on one line, a blank line."""
    return b"data: " + _encoder.encode(payload) + b"\n\n"


def failure(code: str, message: str, outcome: str = "failed", files: Sequence[str] = ()) -> Payload:
    """The last word of a stream that didn't come to its end; `files` are whole all the same."""
    details = {"outcome": outcome, "files": list(files)}
    return {"type": "error", "message": message, "data": {"code": code, "details": details}}


class Rendering(Protocol):
    """A fold of a run's events into payloads."""

    def render(self, event: Event) -> Iterator[Payload]:
        """What the event adds to the stream: mostly one payload, or none."""
        ...


class ServerSentEvents:
    """A rendering as server-sent events; see `streams.Wire`."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, rendering: Rendering, heartbeat: Payload | None = None) -> None:
        self.silence = b"" if heartbeat is None else encode(heartbeat)
        self._rendering = rendering

    def say(self, recorded: Recorded) -> bytes:
        """All that the event adds."""
        return b"".join(map(encode, self._rendering.render(recorded.event)))

    def fail(self, code: str, message: str) -> bytes:
        """A last word that the run itself did not say."""
        return encode(failure(code, message))


class GenerateRendering:
    """The words of POST /api/generate/stream."""

    def __init__(self) -> None:
        self._files: dict[str, str | None] = {}
        self._packages: list[str] = []
        self._edit_type: EditType | None = None

    def render(self, event: Event) -> Iterator[Payload]:
        """See `Rendering`."""
        match event:
            case events.Stage(message) | events.Problem(_, message):
                yield _status(message)
            case events.ContextSelected(_, edit_type):
                self._edit_type = edit_type
            case events.TextDelta(text, index):
                yield {"type": "stream", "data": {"content": text, "index": index}}
            case events.FileFinished():
                yield self._finished_file(event)
            case events.FileDropped(path, reason):
                yield _status(f"{path} is not among the files: {reason}")
            case events.PackageNeeded(name):
                self._packages.append(name)
                yield {"type": "package", "data": {"name": name}}
            case RunFinished():
                yield self._last(event)
            case (
                events.RunStarted()
                | events.FileStarted()
                | events.FileDelta()
                | events.PackageInstalled()
                | events.PackageFailed()
                | events.Planned()
                | events.Reviewed()
                | events.AugmenterChanged()
                | events.Insight()
                | events.FileApplied()
                | events.SandboxReady()
                | events.DiagnosticsChanged()
                | events.Usage()
            ):
                pass
            case _:
                assert_never(event)

    def _finished_file(self, event: events.FileFinished) -> Payload:
        path = str(event.path)
        self._files[path] = event.content
        if event.content is None:
            return _status(f"Deleted {path}")
        return {"type": "file", "data": {"path": path, "content": event.content}}

    def _last(self, event: RunFinished) -> Payload:
        whole = {path: text for path, text in self._files.items() if text is not None}
        if event.outcome != "completed":
            return _unfinished(event, tuple(whole))
        files = [{"path": path, "content": text} for path, text in whole.items()]
        data: Payload = {"files": files, "packages": self._packages}
        if self._edit_type is not None:
            data["editType"] = self._edit_type
        return {"type": "complete", "data": data}


class ApplyRendering:
    """The words of POST /api/apply/stream."""

    def __init__(self) -> None:
        self._applied: list[str] = []
        self._installed: list[str] = []

    def render(self, event: Event) -> Iterator[Payload]:
        """See `Rendering`."""
        match event:
            case events.Stage(message):
                yield _status(message)
            case events.PackageInstalled(name):
                self._installed.append(name)
                yield {"type": "package", "data": {"name": name}}
            case events.Problem("packages_failed", message):
                yield {"type": "error", "message": message}
            case events.Problem(_, message):
                yield _status(message)
            case events.FileApplied(path, "sandbox", True):
                self._applied.append(str(path))
                yield {"type": "file", "data": {"path": str(path), "status": "applied"}}
            case events.FileApplied(path, _, False, reason):
                yield _status(f"{path} was not applied: {reason}")
            case RunFinished():
                yield self._last(event)
            case _:
                # An apply run says nothing else that this wire has a word for.
                pass

    def _last(self, event: RunFinished) -> Payload:
        if event.outcome != "completed" and event.code != "not_applied":
            return _unfinished(event, self._applied)
        return {
            "type": "complete",
            "data": {
                "appliedFiles": self._applied,
                "installedPackages": self._installed,
                "success": event.outcome == "completed",
            },
        }


def _status(message: str) -> Payload:
    return {"type": "status", "message": message}


def _unfinished(event: RunFinished, files: Sequence[str]) -> Payload:
    if event.outcome == "cancelled":
        return {"type": "cancelled"}
    return failure(event.code or event.outcome, event.message, event.outcome, files)
