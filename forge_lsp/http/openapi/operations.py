"""What each route takes and gives: what its description needs and its code doesn't tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from forge_lsp.http import bodies
from forge_lsp.http.openapi import answers, events, lines

JSON = "application/json"
EVENTS = "text/event-stream"
NDJSON = "application/x-ndjson"
_PROMPT = "Create a React counter component with increment and decrement buttons"
_FILES = [
    {
        "path": "src/components/Button.tsx",
        "content": "export default function Button() { return <button>Click me</button>; }",
    }
]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    summary: str
    tag: str
    answer: type[BaseModel] | None = None
    """The JSON of 200; None where it is a stream or something else than JSON."""
    events: type[BaseModel] | None = None
    """What its stream says, where 200 is one."""
    media_type: str = JSON
    """Of 200; a stream of NDJSON is there as EVENTS, too."""
    body: type[BaseModel] | None = None
    example: Mapping[str, Any] | None = None
    """A body."""
    is_body_required: bool = True
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name: what it means; all may be left out."""
    failures: Mapping[int, str] = field(default_factory=dict[int, str])
    """By status: when, beside what may happen to every request."""
    also: int | None = None
    """Another status with the same answer as 200."""


_SANDBOX_ID = {"sandboxId": "Which one; left out: the active one, which was used last."}
_NO_SANDBOX = "The account has no active sandbox, or never had that one."

QUERY_SCHEMAS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"cursor": {"type": "string", "pattern": "^[0-9]{1,15}$"}}
)
"""By name, of those that aren't any text; others are."""

OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("POST", "/api/generate/stream"): Operation(
            "Generate an app, or edit one",
            "Streams",
            events=events.GenerateEvent,
            media_type=EVENTS,
            body=bodies.GenerateBody,
            example={"prompt": _PROMPT, "isEdit": False},
            failures={404: "The sandbox to edit is not there."},
        ),
        ("POST", "/api/apply/stream"): Operation(
            "Put files and packages into a sandbox",
            "Streams",
            events=events.ApplyEvent,
            media_type=EVENTS,
            body=bodies.ApplyBody,
            example={"files": _FILES, "packages": ["react"]},
            failures={404: _NO_SANDBOX},
        ),
        ("POST", "/api/sandbox/create"): Operation(
            "Make a sandbox", "Sandboxes", answer=answers.SandboxMade
        ),
        ("GET", "/api/sandbox/status"): Operation(
            "Whether a sandbox is alive",
            "Sandboxes",
            answer=answers.SandboxStatus,
            query=_SANDBOX_ID,
            failures={404: _NO_SANDBOX},
        ),
        ("GET", "/api/sandbox/files"): Operation(
            "List a sandbox's files",
            "Sandboxes",
            answer=answers.SandboxFiles,
            query=_SANDBOX_ID,
            failures={404: _NO_SANDBOX},
        ),
        ("POST", "/api/sandbox/diagnostics"): Operation(
            "What is wrong in a sandbox",
            "Sandboxes",
            answer=answers.SandboxDiagnostics,
            body=bodies.SandboxBody,
            example={},
            is_body_required=False,
            failures={404: _NO_SANDBOX},
        ),
        ("POST", "/api/sandbox/kill"): Operation(
            "End a sandbox, or all of them",
            "Sandboxes",
            answer=answers.SandboxesKilled,
            body=bodies.KillBody,
            example={"sandboxId": "sb_abc123"},
            is_body_required=False,
        ),
        ("POST", "/api/packages/install"): Operation(
            "Install npm packages",
            "Sandboxes",
            answer=answers.PackagesInstalled,
            body=bodies.InstallBody,
            example={"packages": ["react", "lodash"]},
            failures={404: _NO_SANDBOX},
        ),
        ("GET", "/v1/runs/{id}"): Operation(
            "How far a run is", "Runs", answer=answers.Run, failures={404: "There is no such run."}
        ),
        ("GET", "/v1/runs/{id}/events"): Operation(
            "Follow a run from a cursor",
            "Runs",
            events=lines.RunLine,
            media_type=NDJSON,
            query={"cursor": "The id of the last event that the client has; left out: none."},
            failures={
                400: "The cursor is none.",
                404: "There is no such run.",
                410: "The run's events are kept no longer.",
            },
        ),
        ("POST", "/v1/runs/{id}/rollback"): Operation(
            "Put back what a run changed",
            "Runs",
            answer=answers.RunRolledBack,
            failures={
                404: "There is no such run, or it changed no app that is still there.",
                409: "A file has changed since, or the run changed nothing.",
                410: "It ended more than 24 hours ago.",
            },
        ),
        ("POST", "/v1/runs/{id}/cancel"): Operation(
            "Cancel a run",
            "Runs",
            answer=answers.RunCancelled,
            failures={404: "There is no such run.", 409: "It has ended already."},
            also=202,
        ),
        ("GET", "/metrics"): Operation(
            "Metrics for Prometheus", "Operations", media_type="text/plain"
        ),
        ("GET", "/api/health"): Operation(
            "Whether the process answers", "Operations", answer=answers.Alive
        ),
        ("GET", "/api/ready"): Operation(
            "Whether new runs are taken", "Operations", answer=answers.Ready
        ),
        ("GET", "/openapi.json"): Operation("This description", "Operations"),
        ("GET", "/docs"): Operation(
            "This description to read and try", "Operations", media_type="text/html"
        ),
    }
)
"""By method and path, as the route has it."""

COMMON: Mapping[int, str] = MappingProxyType(
    {
        403: "The request comes from a foreign origin, or its token may not do this.",
        421: "The server doesn't answer under this host.",
        500: "A fault of the server's.",
        503: "The server is stopping, or its database is away.",
    }
)
"""What may happen to every request."""
WITH_TOKEN: Mapping[int, str] = MappingProxyType(
    {
        401: "There is no token, or none that is good.",
        429: "The account asks too often, or has too much under way.",
    }
)
WITH_BODY: Mapping[int, str] = MappingProxyType(
    {
        400: "The body can't be read, or asks for what can't be.",
        408: "The body didn't come.",
        413: "The body is too large.",
        415: "The body is not JSON.",
    }
)
WITH_KEY: Mapping[int, str] = MappingProxyType(
    {
        400: "The idempotency key is no key.",
        409: "The idempotency key was used for another request, or that is still under way.",
    }
)
"""What may happen to a request that can be sent again."""
OF_MODEL: Mapping[int, str] = MappingProxyType({502: "The model's server failed."})
"""What may happen to a request that starts a run."""
