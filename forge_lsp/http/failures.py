"""Failures as HTTP answers: the one place that knows statuses and the shapes of error bodies."""

import logging
from collections.abc import Mapping

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from forge_lsp.errors import ForgeError
from forge_lsp.http.state import REQUEST_ID
from forge_lsp.runs import INTERNAL_ERROR

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5

_STATUSES = {
    "invalid_request": 400,
    "invalid_field": 400,
    "path_refused": 400,
    "package_refused": 400,
    "workspace_refused": 400,
    "not_found": 404,
    "conflict": 409,
    "changed_since": 409,
    "gone": 410,
    "rate_limited": 429,
    "model_failed": 502,
    "model_unreachable": 502,
    "model_busy": 502,
    "model_key_rejected": 502,
    "model_request_refused": 502,
    "store_failed": 503,
}
"""By `ForgeError.code`. What sandboxes fail with is 500, as the routes under /api promise."""
_V1_STATUSES = {
    **_STATUSES,
    "sandbox_failed": 502,
    "sandbox_gone": 502,
    "isolation_unavailable": 503,
}
_PROJECT_STATUSES = {
    **_STATUSES,
    "invalid_field": 422,
    "path_refused": 422,
    "version_conflict": 412,
    "sandbox_unwritable": 502,
}
_OF_PROJECTS = ("/api/fragments", "/api/projects", "/api/messages")

_V1_CODES = {
    400: "invalid_request",
    401: "invalid_key",
    403: "missing_scope",
    404: "not_found",
    409: "conflict",
    410: "gone",
    422: "unprocessable",
    429: "rate_limited",
    500: "internal_error",
    502: "upstream_error",
    503: "unavailable",
    504: "gateway_timeout",
}
_V1_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@web.middleware
async def explain_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer of its route's shape."""
    try:
        return await handler(request)
    except ForgeError as error:
        status = _statuses_for(request).get(error.code, 500)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else {}
        return _answer(request, status, _sentence(error, status), headers, _V1_CODES.get(status))
    except web.HTTPException as error:
        # aiohttp begins its own texts with the status, which stands in the answer already.
        text = (error.text or error.reason).removeprefix(f"{error.status}: ")
        kept = ("Allow", "WWW-Authenticate", "Retry-After")
        headers = {name: error.headers[name] for name in kept if name in error.headers}
        code = getattr(error, "v1_code", _V1_CODES.get(error.status))
        return _answer(request, error.status, text, headers, code)
    except Exception:
        # A fault of ours is answered as one; the log has the rest.
        log.exception("request %s failed", request[REQUEST_ID])
        return _answer(request, 500, INTERNAL_ERROR, {}, None)


def _sentence(error: ForgeError, status: int) -> str:
    """Clients compare the messages of 4xx answers, so the remedy is for the others."""
    return error.message if status < 500 and status != 429 else error.for_people()


def _answer(
    request: web.Request,
    status: int,
    message: str,
    headers: Mapping[str, str],
    code: str | None,
) -> web.Response:
    if _is_v1(request):
        error = _v1_error(request[REQUEST_ID], status, message, code)
        if "Retry-After" in headers:
            error["retryAfterMs"] = int(headers["Retry-After"]) * 1000
        body: object = {"error": error}
    elif request.path.startswith("/api/fragments"):
        body = {"error": message}
    else:
        body = {"success": False, "error": message}
    return json_answer(body, status, headers)


def _statuses_for(request: web.Request) -> Mapping[str, int]:
    if _is_v1(request):
        return _V1_STATUSES
    return _PROJECT_STATUSES if request.path.startswith(_OF_PROJECTS) else _STATUSES


def _is_v1(request: web.Request) -> bool:
    return request.path.startswith("/v1/") or request.path == "/v1"


def json_answer(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer, in UTF-8 and without spaces."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def _v1_error(request_id: str, status: int, message: str, code: str | None) -> dict[str, object]:
    family = "invalid_request_error" if status < 500 else "api_error"
    return {
        "code": code or ("invalid_request" if status < 500 else "internal_error"),
        "message": message,
        "type": _V1_TYPES.get(status, family),
        "requestId": request_id,
    }
