"""Lines of JSON: what a run says, in the words of /v1.

Every line is made of a single event and of what the run is, so that any cursor, any time and any
server gives the same bytes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from forge_lsp import events
from forge_lsp.actions.drafts import AS_ASKED
from forge_lsp.changes.lines import lines_of
from forge_lsp.events import Event, Recorded, RunFinished
from forge_lsp.ports.store import RunRecord

_encoder = msgspec.json.Encoder(enc_hook=str)
"""An event that was just said holds paths as `ProjectPath`, of which a replay knows the text."""

Payload = dict[str, object]
NDJSON = "application/x-ndjson"
SERVER_SENT = "text/event-stream"


class Lines:
    """One JSON object a line; see `streams.Wire`."""

    content_type = NDJSON
    silence = b"\n"
    """A blank line, which clients skip: writing is what tells that one has left."""

    def __init__(self, run: RunRecord, after: int = 0) -> None:
        self._run = run
        self._last_id = after

    def say(self, recorded: Recorded) -> bytes:
        """The event's line; empty where it has none."""
        self._last_id = recorded.seq
        payload = render(self._run.kind, recorded.event)
        return b"" if payload is None else self._framed(payload)

    def fail(self, code: str, message: str) -> bytes:
        """A line that stands in no journal, so it has the id of the event before it: whoever
        comes back with that misses nothing."""
        return self._framed({"type": "error", "message": message, "code": code})

    def _framed(self, payload: Payload) -> bytes:
        return self._line(payload) + b"\n"

    def _line(self, payload: Payload) -> bytes:
        told = {"type": payload["type"], "runId": self._run.id, "id": self._last_id}
        return _encoder.encode(told | payload)


class ServerSentLines(Lines):
    """The same lines as server-sent events, whose ids are the cursors."""

    content_type = f"{SERVER_SENT}; charset=utf-8"
    silence = b":\n\n"

    def _framed(self, payload: Payload) -> bytes:
        return b"id: %d\ndata: %b\n\n" % (self._last_id, self._line(payload))


def wire_of(run: RunRecord, accept: str, after: int = 0) -> Lines:
    """The wire that a client asked for by its `Accept`; `after` is the id that it has already."""
    types = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    is_server_sent = SERVER_SENT in types and NDJSON not in types
    return (ServerSentLines if is_server_sent else Lines)(run, after)


def render(kind: str, event: Event) -> Payload | None:
    """What a run of this kind says by the event; None where it has no word here."""
    if isinstance(event, RunFinished):
        return _last(kind, event)
    return _WORDS.get(kind, _of_another)(event)


def _last(kind: str, event: RunFinished) -> Payload:
    if event.outcome == "cancelled":
        return {"type": "cancelled"}
    if event.outcome != "completed":
        return {"type": "error", "message": event.message, "code": event.code or event.outcome}
    if kind == "build":
        preview = event.preview_url or None
        return {"type": "ready", "appId": event.app_id, "previewUrl": preview}
    return {"type": "done", "tokensUsed": event.tokens_used, "durationMs": event.duration_ms}


def _of_build(event: Event) -> Payload | None:
    match event:
        case events.Planned():
            return _plan(event)
        case events.FileFinished(path, content) if content is not None:
            return {"type": "file", "path": path, "contents": content}
        case events.Reviewed(notes, patched):
            return {"type": "review", "notes": notes, "patched": list(patched)}
        case events.AugmenterChanged(alias, status, message):
            told: Payload = {"type": "augmenter", "alias": alias, "status": status}
            return told | {"message": message} if message else told
        case _:
            # A build's stages are told by what comes of them.
            return None


def _of_skill(event: Event) -> Payload | None:
    match event:
        case events.TextDelta(text):
            return {"type": "chunk", "delta": text}
        case events.Insight():
            return _insight(event)
        case _:
            return _progress(event)


def _of_augmenter(event: Event) -> Payload | None:
    match event:
        case events.FileFinished(path, content) if content is not None:
            return {"type": "file_written", "path": path, "status": _status(event)}
        case events.FileDropped(path, reason) if reason == AS_ASKED:
            return {"type": "file_written", "path": path, "status": "unchanged"}
        case events.FileDropped(path, reason):
            return _step("dropped", f"{path} is left as it is: {reason}")
        case events.AugmenterChanged(alias, status, message):
            return _step(status, message or f"{alias}: {status}")
        case events.Insight():
            return _insight(event)
        case _:
            return _progress(event)


def _of_dry_run(event: Event) -> Payload | None:
    told = _of_augmenter(event)
    if told is None or told["type"] != "file_written":
        return told
    added, removed = _counts(event) if isinstance(event, events.FileFinished) else (0, 0)
    return told | {"added": added, "removed": removed}


def _of_another(event: Event) -> Payload | None:
    """Of generations, edits and the like, which have wires of their own beside this one."""
    if isinstance(event, events.FileFinished | events.Planned):
        return _of_build(event)
    return _of_skill(event)


_WORDS: Mapping[str, Callable[[Event], Payload | None]] = MappingProxyType(
    {
        "build": _of_build,
        "skill": _of_skill,
        "augmenter": _of_augmenter,
        "augmenter_dry_run": _of_dry_run,
    }
)
"""By a run's kind."""


def _plan(event: events.Planned) -> Payload:
    manifest = [{"path": file.path, "purpose": file.purpose} for file in event.manifest]
    told: Payload = {"type": "plan", "summary": event.summary, "manifest": manifest}
    design = event.design_spec
    if design is not None:
        told["designSpec"] = {
            "palette": design.palette,
            "typography": design.typography,
            "layout": design.layout,
            "components": list(design.components),
        }
    return told


def _insight(event: events.Insight) -> Payload:
    place = {"path": event.path, "line": event.line}
    told = {"kind": event.kind, "label": event.label, "detail": event.detail}
    known = {name: value for name, value in place.items() if value is not None}
    return {"type": "insight", "insight": told | known}


def _progress(event: Event) -> Payload | None:
    match event:
        case events.Stage(message, done, total) if done is not None and total:
            percent = min(100, done * 100 // total)
            return _step(_stage(message), message) | {"percent": percent}
        case events.Stage(message):
            return _step(_stage(message), message)
        case events.Problem(_, message):
            return _step("problem", message)
        case _:
            # The rest is for the wires that show a run's inside.
            return None


def _step(stage: str, message: str) -> Payload:
    return {"type": "progress", "stage": stage, "message": message}


def _stage(message: str) -> str:
    """The sentence's first word, which says what is being done: `reading`, `installing`."""
    word = "".join(filter(str.isalpha, message.partition(" ")[0]))
    return word.lower() or "working"


def _status(event: events.FileFinished) -> str:
    # What stays as it is, is dropped; so where nothing differs there was nothing.
    return "modified" if event.hunks else "created"


def _counts(event: events.FileFinished) -> tuple[int, int]:
    if not event.hunks:
        return len(lines_of((event.content or "").encode("utf-8", "surrogatepass"))), 0
    added = sum(hunk.after_count for hunk in event.hunks)
    return added, sum(hunk.before_count for hunk in event.hunks)
