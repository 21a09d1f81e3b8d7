"""What every request passes before anything else: its id, its host, its origin, its token.

What the token's account then may ask for is told by `needs`; how much of it, by `limits`.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterable, Sequence

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from forge_lsp.actions.accounts import THE_OWNER, Caller, recognize
from forge_lsp.actions.tokens import id_in, same_token
from forge_lsp.http.access import Access
from forge_lsp.http.denials import ExpiredToken, MissingScope, ProRequired, Unauthorized
from forge_lsp.http.needs import Needs, needs_of
from forge_lsp.http.state import CALLER, REQUEST_ID, engine_of

log = logging.getLogger(__name__)

_TOKEN_NAMES = frozenset({"token", "access_token", "auth_token", "authorization", "api_key"})
"""Names under which clients put a token into a URL, where logs and histories keep it."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def guard(access: Access) -> Middleware:
    """Refuses whom `access` doesn't let in."""
    logging.getLogger("aiohttp.server").addFilter(_without_headers)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_framing(request)
        _check_host(access, request)
        _check_origin(access, request.headers.getall(hdrs.ORIGIN, ()))
        needs = needs_of(request)
        if needs is None or not needs.is_open:
            _check_query(request.query.keys())
            given = request.headers.getall(hdrs.AUTHORIZATION, ())
            request[CALLER] = await _caller(access, given, request)
            _check_rights(request[CALLER], needs)
        return await handler(request)

    return check


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, the client's own where that is fit to print, and log it."""
    request[REQUEST_ID] = _request_id(request)
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
    # What aiohttp refuses by itself, an unknown `Expect`, is refused before it has one.
    response.headers["X-Request-Id"] = request.get(REQUEST_ID) or _request_id(request)


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(10)}"


def _without_headers(record: logging.LogRecord) -> bool:
    """aiohttp logs the header that it can't read, which may be the one with the token."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
    return True


def _check_framing(request: web.Request) -> None:
    is_chunked = hdrs.TRANSFER_ENCODING in request.headers
    # HTTP/1.0 knows no chunks, so what stands between may see another end (RFC 9112, 6.1); and of
    # what calls itself newer, only the syntax is known here.
    if request.version > HttpVersion11 or (is_chunked and request.version < HttpVersion11):
        request.protocol.close()
        raise web.HTTPBadRequest(text="A request must be one of HTTP/1.0 or HTTP/1.1")


def _check_host(access: Access, request: web.Request) -> None:
    named = request.headers.getall(hdrs.HOST, ())
    # A whole URL may stand in the place of the path, and then it is what the client means.
    is_path = request.raw_path.startswith(("/", "*"))
    asked = named if is_path else (*named, request.url.authority)
    if len(named) != 1 or any(host.lower() not in access.hosts for host in asked):
        raise web.HTTPMisdirectedRequest(
            text="This server does not answer under that host; http.allowed_hosts can name it."
        )


def _check_origin(access: Access, origins: Sequence[str]) -> None:
    if any(origin not in access.origins for origin in origins):
        raise web.HTTPForbidden(text="Requests from that origin are not allowed")


def _check_query(names: Iterable[str]) -> None:
    if any(name.lower() in _TOKEN_NAMES for name in names):
        raise Unauthorized


async def _caller(access: Access, given: Sequence[str], request: web.Request) -> Caller:
    if access.token is None:
        return THE_OWNER
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer":
        raise Unauthorized
    if same_token(token, access.token):
        return THE_OWNER
    # Whoever guesses doesn't get as far as the store with what can't be a token.
    if id_in(token) is None:
        raise Unauthorized
    recognized = await recognize((await engine_of(request)).store, token)
    if recognized.caller is None:
        raise ExpiredToken if recognized.is_expired else Unauthorized
    return recognized.caller


def _check_rights(caller: Caller, needs: Needs | None) -> None:
    # Where there is no such route, whoever is known is told so.
    if needs is None:
        return
    if not caller.may(needs.scopes):
        raise MissingScope(needs.scopes)
    if needs.feature is not None and not caller.has(needs.feature):
        raise ProRequired
