"""What every request passes before anything else: its id, its host, its origin, its token."""

import logging
import re
import secrets
import time
from collections.abc import Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from forge_lsp.actions.engine import OWNER
from forge_lsp.actions.tokens import same_token
from forge_lsp.http.access import Access
from forge_lsp.http.state import ACCOUNT, REQUEST_ID

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/api/health"})
"""What may be asked without a token."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def guard(access: Access) -> Middleware:
    """Refuses whom `access` doesn't let in."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_host(access, request.headers.getall(hdrs.HOST, ()))
        _check_origin(access, request.headers.getall(hdrs.ORIGIN, ()))
        if request.path not in OPEN_PATHS:
            _check_token(access, request.headers.getall(hdrs.AUTHORIZATION, ()))
        request[ACCOUNT] = OWNER
        return await handler(request)

    return check


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, the client's own where that is fit to print, and log it."""
    given = request.headers.get("X-Request-Id", "")
    fits = _REQUEST_ID.fullmatch(given)
    request[REQUEST_ID] = given if fits else f"req_{secrets.token_hex(10)}"
    began = time.monotonic()
    response = await handler(request)
    took_ms = (time.monotonic() - began) * 1000
    path = request.rel_url.raw_path
    log.debug(
        "%s %s %s: %d, %.0f ms", request[REQUEST_ID], request.method, path, response.status, took_ms
    )
    return response


async def add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Put the request's id on its answer, streams included."""
    response.headers["X-Request-Id"] = request[REQUEST_ID]


def _check_host(access: Access, hosts: Sequence[str]) -> None:
    if len(hosts) != 1 or hosts[0].lower() not in access.hosts:
        raise web.HTTPMisdirectedRequest(
            text="This server does not answer under that host; http.allowed_hosts can name it."
        )


def _check_origin(access: Access, origins: Sequence[str]) -> None:
    if any(origin not in access.origins for origin in origins):
        raise web.HTTPForbidden(text="Requests from that origin are not allowed")


def _check_token(access: Access, given: Sequence[str]) -> None:
    if access.token is None:
        return
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not same_token(token.strip(), access.token):
        raise web.HTTPUnauthorized(text="Unauthorized", headers={"WWW-Authenticate": "Bearer"})
