"""What each route takes and gives: what its description needs and its code doesn't tell."""

from collections.abc import Mapping
from types import MappingProxyType

from forge_lsp.http import bodies
from forge_lsp.http.openapi import answers, events
from forge_lsp.http.openapi.operation import EVENTS, Operation, Parameter
from forge_lsp.http.openapi.projects import PROJECT_OPERATIONS
from forge_lsp.http.openapi.v1 import V1_OPERATIONS

_PROMPT = "Create a React counter component with increment and decrement buttons"
_FILES = [
    {
        "path": "src/components/Button.tsx",
        "content": "export default function Button() { return <button>Click me</button>; }",
    }
]


_SANDBOX_ID = {"sandboxId": Parameter("Which one; left out: the active one, which was used last.")}
_NO_SANDBOX = "The account has no active sandbox, or never had that one."

OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        **PROJECT_OPERATIONS,
        **V1_OPERATIONS,
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
