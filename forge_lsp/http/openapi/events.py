"""The shapes of what the streams say, each with an example."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from forge_lsp.events import EditType
from forge_lsp.http.openapi.answers import Absent, Answer

_COUNTER = {"path": "src/Counter.tsx", "content": "export default function Counter() {}\n"}


def _like(**example: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class Heartbeat(Answer):
    """Nothing else was said for five seconds."""

    model_config = _like(type="heartbeat", message="Generating...")

    type: Literal["heartbeat"]
    message: str


class Status(Answer):
    """What is being done, as a sentence for people."""

    model_config = _like(type="status", message="Analyzing request...")

    type: Literal["status"]
    message: str


class TextPiece(Answer):
    """A piece of the model's reply."""

    content: str
    index: int
    """0, 1, 2 …"""


class StreamPiece(Answer):
    """The model's reply as it comes."""

    model_config = _like(type="stream", data={"content": "Creating Counter component", "index": 0})

    type: Literal["stream"]
    data: TextPiece


class WholeFile(Answer):
    """A file, complete."""

    path: str
    content: str


class FileWritten(Answer):
    """A file is complete; each is told once."""

    model_config = _like(type="file", data=_COUNTER)

    type: Literal["file"]
    data: WholeFile


class PackageName(Answer):
    """A package by its name."""

    name: str


class PackageTold(Answer):
    """A generation needs this package; an apply has really installed it."""

    model_config = _like(type="package", data={"name": "react"})

    type: Literal["package"]
    data: PackageName


class Generated(Answer):
    """All of what was generated."""

    files: list[WholeFile]
    packages: list[str]
    edit_type: EditType | Absent = None
    """Of an edit: what kind of change it was."""


class GenerateComplete(Answer):
    """The last word of a generation that went well."""

    model_config = _like(type="complete", data={"files": [_COUNTER], "packages": ["react"]})

    type: Literal["complete"]
    data: Generated


class FailureDetails(Answer):
    """How the run ended, and what is whole all the same."""

    outcome: Literal["cancelled", "truncated", "refused", "failed"]
    files: list[str]


class FailureData(Answer):
    """What went wrong, for programs."""

    code: str
    details: FailureDetails


class Failed(Answer):
    """What went wrong. The last word, but where an apply tells of packages and has no `data`."""

    model_config = _like(
        type="error",
        message="The model's server can't be reached. Check the network and try again.",
        data={"code": "model_unreachable", "details": {"outcome": "failed", "files": []}},
    )

    type: Literal["error"]
    message: str
    data: FailureData | Absent = None


class Cancelled(Answer):
    """The last word of a run that was cancelled."""

    model_config = _like(type="cancelled")

    type: Literal["cancelled"]


class AppliedPath(Answer):
    """A file whose bytes are in the sandbox."""

    path: str
    status: Literal["applied"]


class FileApplied(Answer):
    """A file's bytes are in the sandbox."""

    model_config = _like(
        type="file", data={"path": "src/components/Button.tsx", "status": "applied"}
    )

    type: Literal["file"]
    data: AppliedPath


class Applied(Answer):
    """All of what was applied."""

    applied_files: list[str]
    installed_packages: list[str]
    success: bool
    """Whether all of it was."""


class ApplyComplete(Answer):
    """The last word of an apply."""

    model_config = _like(
        type="complete",
        data={"appliedFiles": ["src/App.tsx"], "installedPackages": ["react"], "success": True},
    )

    type: Literal["complete"]
    data: Applied


class GenerateEvent(
    RootModel[
        Annotated[
            Heartbeat
            | Status
            | StreamPiece
            | FileWritten
            | PackageTold
            | GenerateComplete
            | Cancelled
            | Failed,
            Field(discriminator="type"),
        ]
    ]
):
    """What POST /api/generate/stream says, one JSON object an event."""


class ApplyEvent(
    RootModel[
        Annotated[
            Status | PackageTold | FileApplied | ApplyComplete | Cancelled | Failed,
            Field(discriminator="type"),
        ]
    ]
):
    """What POST /api/apply/stream says, one JSON object an event."""
