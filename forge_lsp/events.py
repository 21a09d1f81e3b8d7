"""The vocabulary: everything that a run can say, and nothing else.

An event is recorded once in its run's journal and rendered by every wire from there. The JSON
form (`encode`, `decode`) is what the store keeps and what `forge/event` sends, so a field's name
is a promise: fields may be added with a default, never renamed.
"""

from typing import Literal

import msgspec

from forge_lsp.changes.hunks import Hunk
from forge_lsp.paths import ProjectPath

Outcome = Literal["completed", "cancelled", "truncated", "refused", "failed"]
Target = Literal["sandbox", "workspace"]
FileAction = Literal["create", "edit", "delete"]
EditType = Literal[
    "UPDATE_COMPONENT",
    "ADD_FEATURE",
    "FIX_ISSUE",
    "REFACTOR",
    "FULL_REBUILD",
    "UPDATE_STYLE",
    "ADD_DEPENDENCY",
]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


AugmenterStatus = Literal["queued", "started", "applied", "failed"]


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=_snake):
    """An event's JSON form names its class in `type`, in snake case."""


class Asked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a run was asked for, as far as another that goes on in its place has to know."""

    prompt: str = ""
    augmenters: tuple[str, ...] = ()
    app_id: str = ""
    """Of the app that is built over HTTP; empty for one in a workspace."""
    resumes: str = ""
    """The id of the run whose plan and whole files it goes on from."""


class RunStarted(_Event, frozen=True, omit_defaults=True):
    """The first event of every run."""

    kind: str
    title: str
    asked: Asked | None = None
    """Of a build."""


class Stage(_Event, frozen=True):
    """What is being done now, as a sentence for people."""

    message: str
    done: int | None = None
    total: int | None = None


class ContextSelected(_Event, frozen=True):
    """Which files the model is shown, and why."""

    paths: tuple[str, ...]
    edit_type: EditType | None
    reason: str


class TextDelta(_Event, frozen=True):
    """A piece of the model's reply as it came, coalesced; `index` counts from 0 in each run."""

    text: str
    index: int


class FileStarted(_Event, frozen=True):
    """The model began to write about a file."""

    path: str
    action: FileAction


class FileDelta(_Event, frozen=True):
    """A piece of a new file's body; what it adds up to counts only once the file is finished."""

    path: str
    text: str


class FileFinished(_Event, frozen=True):
    """A whole file as it is meant to be; `content` is None where it is to be deleted."""

    path: str
    content: str | None
    hunks: tuple[Hunk, ...] = ()
    """Where it differs from what the run found there; empty for a new file."""


class FileDropped(_Event, frozen=True):
    """A file that the model began or named, of which nothing is taken."""

    path: str
    reason: str


class PackageNeeded(_Event, frozen=True):
    """The code imports this package, or the model asked for it; it may be there already."""

    name: str


class PackageInstalled(_Event, frozen=True):
    """A package is really there: in the sandbox's `node_modules`."""

    name: str
    version: str


class PackageFailed(_Event, frozen=True):
    """A package could not be installed."""

    name: str
    reason: str


class PlannedFile(msgspec.Struct, frozen=True, gc=False):
    """A file of a plan's manifest."""

    path: str
    purpose: str
    exports: tuple[str, ...] = ()
    """What others may import from it, each as its declaration in TypeScript."""
    uses: tuple[str, ...] = ()
    """The paths of the planned files that it imports."""


class DesignSpec(msgspec.Struct, frozen=True, gc=False):
    """What an app is to look like, as all who write its files are told."""

    palette: dict[str, str] = {}
    """Colours by their role: background, text, accent, …"""
    typography: str = ""
    layout: str = ""
    components: tuple[str, ...] = ()
    """How those that recur look: buttons, cards, …"""


class Planned(_Event, frozen=True):
    """What a build is going to write."""

    summary: str
    manifest: tuple[PlannedFile, ...]
    packages: tuple[str, ...] = ()
    design_spec: DesignSpec | None = None


class Reviewed(_Event, frozen=True):
    """A reviewer has read the whole; the files that it `patched` have come before."""

    notes: str
    patched: tuple[str, ...] = ()


class AugmenterChanged(_Event, frozen=True):
    """How far an augmenter is; the files that it changed have come before `applied`."""

    alias: str
    status: AugmenterStatus
    message: str = ""


class Insight(_Event, frozen=True):
    """One thing that a skill found."""

    kind: str
    """A word for people, as `accessibility` or `bug`."""
    label: str
    """One line."""
    detail: str
    path: str | None = None
    line: int | None = None
    """Counted from 1."""


class FileApplied(_Event, frozen=True):
    """An applier's answer for one file."""

    path: str
    target: Target
    ok: bool
    reason: str = ""


class SandboxReady(_Event, frozen=True):
    """The run has a sandbox, whose preview answers at `url`."""

    sandbox_id: str
    url: str


class DiagnosticsChanged(_Event, frozen=True):
    """How many problems the sandbox has now."""

    errors: int
    warnings: int


class Problem(_Event, frozen=True):
    """Something went wrong that does not end the run by itself."""

    code: str
    message: str
    path: str | None = None


class Usage(_Event, frozen=True):
    """What one request to the model took, in tokens and US dollars."""

    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    """None where the model's price isn't known."""


class RunFinished(_Event, frozen=True):
    """The last event of every run."""

    outcome: Outcome
    code: str = ""
    """For `failed`: the code of the error; empty otherwise."""
    message: str = ""
    """For all but `completed`: what happened and what to do, for people."""
    app_id: str = ""
    """Of a build that completed over HTTP."""
    preview_url: str = ""
    """Of a build that completed, where there is a sandbox."""
    tokens_used: int = 0
    """By all of its requests to models, in and out."""
    duration_ms: int = 0
    """Since it was started."""


Event = (
    RunStarted
    | Stage
    | ContextSelected
    | TextDelta
    | FileStarted
    | FileDelta
    | FileFinished
    | FileDropped
    | PackageNeeded
    | PackageInstalled
    | PackageFailed
    | Planned
    | Reviewed
    | AugmenterChanged
    | Insight
    | FileApplied
    | SandboxReady
    | DiagnosticsChanged
    | Problem
    | Usage
    | RunFinished
)


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the journal of its run."""

    seq: int
    """1 for the first, without gaps."""
    at: int
    """Milliseconds since the epoch."""
    event: Event


def _plain(value: object) -> str:
    if isinstance(value, ProjectPath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The event's JSON form, UTF-8."""
    return _encoder.encode(event)


def decode(data: bytes) -> Event:
    """The event whose JSON form `data` is; raises `msgspec.ValidationError` for any other."""
    return _decoder.decode(data)
