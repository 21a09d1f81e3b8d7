"""The shapes of the lines that /v1 streams, each with an example."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from forge_lsp.http.openapi.answers import Absent, Answer


def _like(**example: Any) -> ConfigDict:
    told = {"type": example["type"], "runId": "run_5d41402abc4b2a76b971", "id": 3}
    return ConfigDict(json_schema_extra={"examples": [told | example]})


class Line(Answer):
    """One line."""

    run_id: str
    id: int
    """Its place in the journal, which is the cursor for what comes after it."""


class PlannedFile(Answer):
    """A file that is going to be written."""

    path: str
    purpose: str


class DesignSpec(Answer):
    """What the app is to look like."""

    palette: dict[str, str]
    """Colours by their role."""
    typography: str
    layout: str
    components: list[str]


class PlanLine(Line):
    """What a build is going to write."""

    model_config = _like(
        type="plan",
        summary="Landing page + pricing + footer",
        manifest=[{"path": "src/App.tsx", "purpose": "Puts the sections together"}],
    )

    type: Literal["plan"]
    summary: str
    manifest: list[PlannedFile]
    design_spec: DesignSpec | Absent = None


class FileLine(Line):
    """A file is complete; one that is changed again comes again."""

    model_config = _like(
        type="file", path="src/App.tsx", contents="export default function App() {}\n"
    )

    type: Literal["file"]
    path: str
    contents: str


class ReviewLine(Line):
    """A reviewer has read the whole; the files that were patched came before."""

    model_config = _like(
        type="review", notes="Looks good — minor a11y nits patched.", patched=["src/App.tsx"]
    )

    type: Literal["review"]
    notes: str
    patched: list[str]


class AugmenterLine(Line):
    """How far an augmenter is."""

    model_config = _like(type="augmenter", alias="seo", status="applied")

    type: Literal["augmenter"]
    alias: str
    status: Literal["queued", "started", "applied", "failed"]
    message: str | Absent = None


class ReadyLine(Line):
    """The last word of a build that went well."""

    model_config = _like(type="ready", appId="app_abc", previewUrl="http://127.0.0.1:8123/")

    type: Literal["ready"]
    app_id: str
    preview_url: str | None


class ChunkLine(Line):
    """A piece of what a skill writes."""

    model_config = _like(type="chunk", delta="The page has one ")

    type: Literal["chunk"]
    delta: str


class InsightTold(Answer):
    """One thing that was found."""

    kind: str
    label: str
    detail: str
    path: str | Absent = None
    line: int | Absent = None
    """From 1."""


class InsightLine(Line):
    """A skill found something."""

    model_config = _like(
        type="insight",
        insight={
            "kind": "accessibility",
            "label": "Button without a name",
            "detail": "Screen readers say only “button”.",
            "path": "src/App.tsx",
            "line": 12,
        },
    )

    type: Literal["insight"]
    insight: InsightTold


class FileWrittenLine(Line):
    """An augmenter has written a file, or, in a dry run, would."""

    model_config = _like(type="file_written", path="index.html", status="modified")

    type: Literal["file_written"]
    path: str
    status: Literal["created", "modified", "unchanged"]
    added: int | Absent = None
    """Of a dry run: how many lines come."""
    removed: int | Absent = None
    """Of a dry run: how many lines go."""


class ProgressLine(Line):
    """What is being done."""

    model_config = _like(
        type="progress", stage="reading", message="Reading 3 of 4 files", percent=75
    )

    type: Literal["progress"]
    stage: str
    """One word."""
    message: str
    """A sentence for people."""
    percent: int | Absent = None


class DoneLine(Line):
    """The last word of a run that went well."""

    model_config = _like(type="done", tokensUsed=1280, durationMs=4200)

    type: Literal["done"]
    tokens_used: int
    duration_ms: int


class CancelledLine(Line):
    """The last word of a run that was cancelled."""

    model_config = _like(type="cancelled")

    type: Literal["cancelled"]


class ErrorLine(Line):
    """The last word of a run that failed."""

    model_config = _like(
        type="error",
        message="The model's server can't be reached. Check the network and try again.",
        code="model_unreachable",
    )

    type: Literal["error"]
    message: str
    code: str


class BuildLine(
    RootModel[
        Annotated[
            PlanLine
            | FileLine
            | ReviewLine
            | AugmenterLine
            | ReadyLine
            | CancelledLine
            | ErrorLine,
            Field(discriminator="type"),
        ]
    ]
):
    """What a build says."""


class SkillLine(
    RootModel[
        Annotated[
            ChunkLine
            | InsightLine
            | FileWrittenLine
            | ProgressLine
            | DoneLine
            | CancelledLine
            | ErrorLine,
            Field(discriminator="type"),
        ]
    ]
):
    """What a skill or an augmenter says."""


class RunLine(
    RootModel[
        Annotated[
            PlanLine
            | FileLine
            | ReviewLine
            | AugmenterLine
            | ReadyLine
            | ChunkLine
            | InsightLine
            | FileWrittenLine
            | ProgressLine
            | DoneLine
            | CancelledLine
            | ErrorLine,
            Field(discriminator="type"),
        ]
    ]
):
    """What any run says."""
