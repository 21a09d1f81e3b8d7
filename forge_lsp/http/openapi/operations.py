"""What each route takes and gives: what its description needs and its code doesn't tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from forge_lsp.http import bodies
from forge_lsp.http.openapi import answers, events, lines
from forge_lsp.http.v1 import bodies as v1_bodies

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
class Parameter:
    """One of a query."""

    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


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
    query: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    """By name; all may be left out."""
    failures: Mapping[int, str] = field(default_factory=dict[int, str])
    """By status: when, beside what may happen to every request."""
    status: int = 200
    """Of what goes well."""
    also: int | None = None
    """Another status with the same answer."""


_SANDBOX_ID = {"sandboxId": Parameter("Which one; left out: the active one, which was used last.")}
_NO_SANDBOX = "The account has no active sandbox, or never had that one."

_EVENT_ID = {"type": "string", "pattern": "^[0-9]{1,15}$"}
_PAGE = {
    "limit": Parameter("How many; at most 100 are given.", {"type": "integer", "minimum": 1}),
    "cursor": Parameter(
        "The page before's `nextCursor`.", {"type": "string", "format": "page-cursor"}
    ),
}
_NO_APP = {404: "There is no such app."}
_CHANGED = {409: "Another run is changing the app."}

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
        ("POST", "/v1/apps/generate"): Operation(
            "Build an app",
            "Apps",
            events=lines.BuildLine,
            media_type=NDJSON,
            body=v1_bodies.GenerateAppBody,
            example={"prompt": "A landing page with pricing and a footer"},
            failures={
                404: "There is no such chat, or no such augmenter.",
                **_CHANGED,
                422: "There is no such template, or the model can't be asked.",
            },
        ),
        ("GET", "/v1/apps"): Operation(
            "List apps",
            "Apps",
            answer=answers.AppList,
            query=_PAGE,
            failures={400: "The limit or the cursor is none."},
        ),
        ("GET", "/v1/apps/{id}"): Operation(
            "One app", "Apps", answer=answers.App, failures=_NO_APP
        ),
        ("DELETE", "/v1/apps/{id}"): Operation(
            "Remove an app", "Apps", answer=answers.AppDeleted, failures=_NO_APP | _CHANGED
        ),
        ("GET", "/v1/apps/{id}/files"): Operation(
            "An app's files", "Apps", answer=answers.AppFiles, failures=_NO_APP
        ),
        ("PATCH", "/v1/apps/{id}/files"): Operation(
            "Write files of an app",
            "Apps",
            answer=answers.AppFiles,
            body=v1_bodies.AppFilesBody,
            example={"files": {"src/App.tsx": "export default function App() { return null; }"}},
            failures={**_NO_APP, 502: "The app's sandbox could not be written."},
        ),
        ("POST", "/v1/apps/{id}/fork"): Operation(
            "Copy an app", "Apps", answer=answers.App, failures=_NO_APP, status=201
        ),
        ("POST", "/v1/chats/{id}/messages"): Operation(
            "Go on in an app's chat",
            "Apps",
            events=lines.RunLine,
            media_type=NDJSON,
            body=v1_bodies.MessageBody,
            example={"prompt": "Make the buttons green"},
            failures={404: "There is no such chat, skill or augmenter.", **_CHANGED},
        ),
        ("GET", "/v1/runs/{id}"): Operation(
            "How far a run is", "Runs", answer=answers.Run, failures={404: "There is no such run."}
        ),
        ("GET", "/v1/runs/{id}/events"): Operation(
            "Follow a run from a cursor",
            "Runs",
            events=lines.RunLine,
            media_type=NDJSON,
            query={
                "cursor": Parameter(
                    "The id of the last event that the client has; left out: none.", _EVENT_ID
                )
            },
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
