"""The shapes of answers, as clients may rely on them. Handlers write them by hand, for speed; tests
hold every answer to its shape here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

Absent = SkipJsonSchema[None]
"""Left out of the JSON where there is none, rather than null."""


class Answer(BaseModel):
    """Part of an answer; nothing else stands in it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True
    )


class ApiError(Answer):
    """What went wrong, under /api."""

    success: Literal[False]
    error: str
    """A sentence for people."""


class V1ErrorDetail(Answer):
    """What went wrong, for programs and for people."""

    code: Literal[
        "invalid_request", "invalid_key", "expired_key", "missing_scope", "quota_exceeded",
        "tier_required", "not_found", "conflict", "gone", "unprocessable", "rate_limited",
        "internal_error", "upstream_error", "unavailable", "gateway_timeout",
    ]  # fmt: skip
    message: str
    """A sentence for people."""
    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "api_error",
    ]
    request_id: str
    """As in `X-Request-Id`."""
    retry_after_ms: int | Absent = None
    """With 429: when to try again."""
    docs_url: str | Absent = None


class V1Error(Answer):
    """What went wrong, under /v1."""

    error: V1ErrorDetail


class Alive(Answer):
    """The process answers."""

    success: Literal[True]
    status: Literal["ok"]
    version: str


class Ready(Answer):
    """New runs are taken."""

    success: Literal[True]
    status: Literal["ready"]
    version: str


class SandboxMade(Answer):
    """A new sandbox, which is the active one from now on."""

    success: Literal[True]
    sandbox_id: str
    url: str
    """Where its preview answers."""


class SandboxStatus(Answer):
    """A sandbox that this account had or has."""

    success: Literal[True]
    is_alive: bool
    """False once it was killed, expired or died."""
    sandbox_id: str
    url: str
    """Where its preview answers, or did."""


class SandboxFiles(Answer):
    """A sandbox's files."""

    success: Literal[True]
    files: list[str]
    """Sorted and relative, without node_modules, .git and dist."""


class Check(Answer):
    """One thing that was looked at."""

    label: str
    ok: bool
    detail: str
    duration_ms: int


class Diagnostic(Answer):
    """One thing that is wrong."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    end_line: int | Absent = None
    end_column: int | Absent = None
    severity: Literal["error", "warning"]
    code: str
    message: str
    source: str
    """Who says so."""


class SandboxDiagnostics(Answer):
    """What is wrong in a sandbox."""

    success: Literal[True]
    output: str
    """What its tools printed."""
    checks: list[Check]
    diagnostics: list[Diagnostic]


class SandboxesKilled(Answer):
    """Which sandboxes were ended."""

    success: Literal[True]
    killed: list[str]
    """The ids of those that were alive."""


class FailedPackage(Answer):
    """A package that was not installed."""

    name: str
    error: str


class PackagesInstalled(Answer):
    """What came of an installation."""

    success: bool
    """Whether all of them are there."""
    installed_packages: list[str]
    failed: list[FailedPackage] | Absent = None
    """Those that are not, and why."""


RunStatus = Annotated[
    Literal["queued", "running", "completed", "failed", "cancelled"],
    Field(description="How far it is."),
]


class RunUsage(Answer):
    """What the run took so far."""

    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """US dollars; null where the model's price isn't known."""


class Run(Answer):
    """A run, as the store knows it."""

    id: str
    status: RunStatus
    started_at: str
    """ISO 8601 with milliseconds and Z, as every time here."""
    ended_at: str | None
    usage: RunUsage
    last_event_id: int
    """How many events its journal holds."""


class RunCancelled(Answer):
    """A run that has ended, or, with 202, is about to."""

    id: str
    status: RunStatus


class RunRolledBack(Answer):
    """What a run had changed is as it was before."""

    id: str
    """The run that was rolled back."""
    rollback_run_id: str
    """The run that did so."""
    restored: list[str]
    """The files that were put back."""


class App(Answer):
    """An app that was built over HTTP."""

    id: str
    chat_id: str
    """The chat in which it is changed."""
    workspace_id: str
    prompt: str
    """What it was made from."""
    template: str
    preview_url: str | None
    """Where its sandbox answered last."""
    deploy_url: str | None
    status: Literal["draft", "ready", "deployed"]
    created_at: str
    updated_at: str


class AppList(Answer):
    """A page of the account's apps, the newest first."""

    data: list[App]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool


class AppDeleted(Answer):
    """The app is no more."""

    id: str
    deleted: Literal[True]


class AppFiles(Answer):
    """All of an app's files."""

    files: dict[str, str]
    """The text of each, by its path."""
    omitted: list[str]
    """The paths of those that are no text."""


class Skill(Answer):
    """What can be run on an app, by a short name."""

    alias: str
    title: str
    description: str
    kind: Literal["critique", "augmenter"]
    """A critique says what it finds, an augmenter changes the app."""
    tags: list[str]
    sample_args: Any
    """Arguments that it may be run with; null where there is no example."""
    custom: bool
    """Whether somebody else than the makers of this server wrote it."""
    origin: Literal["built_in", "account", "workspace"]


class SkillList(Answer):
    """A page of skills, by alias."""

    data: list[Skill]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool
