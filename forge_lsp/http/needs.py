"""What each route asks of whoever calls it: the one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import hdrs, web

from forge_lsp.ports.accounts import Scope


@dataclass(frozen=True, slots=True)
class Needs:
    """What a route asks of its caller."""

    scopes: tuple[Scope, ...]
    """One of these; none: it is answered without a token."""
    feature: str | None = None
    starts_run: bool = False
    asks_model: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is answered without a token."""
        return not self.scopes


_OPEN = Needs(())
_RUN = Needs(("generate",), starts_run=True, asks_model=True)
_INLINE_EDIT = Needs(("generate",), feature="inline_code_edit")
_UNDECLARED = Needs(("admin",))
"""A route that somebody forgot here is for those who may do everything."""

NEEDS: Mapping[tuple[str, str], Needs] = MappingProxyType(
    {
        ("GET", "/api/health"): _OPEN,
        ("GET", "/api/ready"): _OPEN,
        ("GET", "/docs"): _OPEN,
        ("GET", "/openapi.json"): _OPEN,
        ("GET", "/metrics"): Needs(("read",)),
        ("POST", "/api/generate/stream"): _RUN,
        ("POST", "/api/apply/stream"): Needs(("sandbox",), starts_run=True),
        ("POST", "/api/sandbox/create"): Needs(("sandbox",)),
        ("GET", "/api/sandbox/status"): Needs(("read",)),
        ("GET", "/api/sandbox/files"): Needs(("read",)),
        ("POST", "/api/sandbox/diagnostics"): Needs(("sandbox",)),
        ("POST", "/api/sandbox/kill"): Needs(("sandbox",)),
        ("POST", "/api/packages/install"): Needs(("sandbox",)),
        ("GET", "/api/fragments"): Needs(("read",)),
        ("GET", "/api/fragments/{id}"): Needs(("read",)),
        ("PATCH", "/api/fragments/{id}"): _INLINE_EDIT,
        ("GET", "/api/fragments/{id}/versions"): Needs(("read",)),
        ("POST", "/api/fragments/{id}/restore"): _INLINE_EDIT,
        ("POST", "/api/projects"): _RUN,
        ("GET", "/api/projects"): Needs(("read",)),
        ("GET", "/api/messages"): Needs(("read",)),
        ("POST", "/api/messages"): _RUN,
        ("POST", "/v1/apps/generate"): _RUN,
        ("GET", "/v1/apps"): Needs(("read",)),
        ("GET", "/v1/apps/{id}"): Needs(("read",)),
        ("DELETE", "/v1/apps/{id}"): Needs(("generate",)),
        ("GET", "/v1/apps/{id}/files"): Needs(("read",)),
        ("PATCH", "/v1/apps/{id}/files"): Needs(("generate",)),
        ("POST", "/v1/apps/{id}/fork"): Needs(("generate",)),
        ("POST", "/v1/chats/{id}/messages"): _RUN,
        ("GET", "/v1/skills"): Needs(("read",)),
        ("POST", "/v1/skills"): Needs(("generate",)),
        ("POST", "/v1/skills/run"): _RUN,
        ("POST", "/v1/augmenters/run"): _RUN,
        ("GET", "/v1/runs/{id}"): Needs(("read",)),
        ("GET", "/v1/runs/{id}/events"): Needs(("read",)),
        ("POST", "/v1/runs/{id}/cancel"): Needs(("generate", "sandbox")),
        ("POST", "/v1/runs/{id}/rollback"): Needs(("generate",)),
    }
)
"""By method and path, as the route is declared; HEAD is as GET."""


def needs_of(request: web.Request) -> Needs | None:
    """What the request's route asks for; None where there is no such route."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return NEEDS.get((method, resource.canonical), _UNDECLARED)
