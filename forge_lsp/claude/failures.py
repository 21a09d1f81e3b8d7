"""Why a request to the model failed: in a way that may pass, or for good, and in what words."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError, APITimeoutError

from forge_lsp.claude.reply import whole_characters
from forge_lsp.errors import (
    ModelBusy,
    ModelFailed,
    ModelKeyRejected,
    ModelRequestRefused,
    ModelUnreachable,
)
from forge_lsp.settings import ModelSettings

MAX_QUOTED_CHARACTERS = 300
"""How much of a server's own words a message repeats."""

_KEY_LIKE = re.compile(r"\bsk-[\w-]{6,}|\bBearer\s+\S+", re.IGNORECASE)


class EndedEarly(Exception):
    """The stream ended before the server said why it stops."""


EXPLAINED = (
    AnthropicError,
    httpx2.HTTPError,
    TimeoutError,
    ValueError,
    RecursionError,
    EndedEarly,
)
"""What sending a request and reading its stream may raise. A ValueError is bytes that aren't
UTF-8 or data that isn't JSON, a RecursionError JSON that is nested too deeply: the SDK lets them
through as they are."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that came to nothing."""

    error: ModelFailed
    """What to raise when no other attempt is made; its message never holds a key."""
    may_pass: bool
    retry_after_s: float | None = None
    """How long the server asks to be left alone."""


def explain(error: Exception, model: str, settings: ModelSettings) -> Failure:
    """The failure that `error`, one of `EXPLAINED`, stands for; `model` is the one asked."""
    server = _server_name(settings)
    match error:
        case APIStatusError(status_code=status, type=kind) if _is_servers_fault(status, kind):
            message = f"{server} {_servers_fault(status, kind)}{_said(error, settings)}"
            delay_s = _retry_after_s(error.response.headers)
            return Failure(ModelBusy(message), may_pass=True, retry_after_s=delay_s)
        case APIStatusError():
            return Failure(_rejection(error, model, server, settings), may_pass=False)
        case APITimeoutError() | httpx2.TimeoutException() | TimeoutError():
            message = f"{server} fell silent for {settings.idle_timeout_s:g} seconds or more."
            return Failure(ModelUnreachable(message), may_pass=True)
        case APIConnectionError():
            cause = str(error.__cause__ or error).rstrip(".")
            message = f"{server} can't be reached: {_safe(cause, settings)}."
            return Failure(ModelUnreachable(message), may_pass=True)
        case httpx2.HTTPError() | EndedEarly():
            message = f"{server} broke the connection off."
            return Failure(ModelUnreachable(message), may_pass=True)
        case ValueError() | RecursionError():
            message = f"{server} sent something that isn't the Messages API."
            return Failure(ModelUnreachable(message), may_pass=True)
        case _:
            message = f"No usable credentials for {server}: {_safe(str(error), settings)}"
            return Failure(ModelKeyRejected(message), may_pass=False)


def _is_servers_fault(status: int, kind: object) -> bool:
    """Whether the same request may well be answered later.

    An error event in the middle of a stream has the stream's status, 200, so its kind counts.
    """
    passing = ("rate_limit_error", "overloaded_error", "api_error", "timeout_error")
    return status in (408, 409, 429) or status >= 500 or kind in passing


def _servers_fault(status: int, kind: object) -> str:
    if status == 429 or kind == "rate_limit_error":
        return "says that it is asked too often"
    if status in (503, 529) or kind == "overloaded_error":
        return "is overloaded"
    return "failed" if status < 400 else f"failed (HTTP {status})"


def _rejection(
    error: APIStatusError, model: str, server: str, settings: ModelSettings
) -> ModelFailed:
    status, said = error.status_code, _said(error, settings)
    if status == 401 or error.type == "authentication_error":
        return ModelKeyRejected(f"{server} doesn't take the API key{said}")
    if status == 403 or error.type == "permission_error":
        return ModelKeyRejected(
            f"The API key may not use {model} on {server}{said}",
            remedy="Use a key that may, or choose another model in forge.model.code.",
        )
    if error.type == "not_found_error":
        return ModelRequestRefused(
            f"{server} doesn't know the model {model}{said}",
            remedy="Set forge.model.code and forge.model.select to models that it has.",
        )
    if status in (404, 405):
        return ModelRequestRefused(
            f"{server} has no Messages API (HTTP {status}).",
            remedy="Check ANTHROPIC_BASE_URL: it is the server's address without `/v1`.",
        )
    if status == 413 or "too long" in said:
        return ModelRequestRefused(
            f"The request is too large for {model}{said}",
            remedy="Ask about fewer files, or lower forge.generation.context_tokens.",
        )
    return ModelRequestRefused(
        f"{server} refused the request{said}",
        remedy="Check that forge.model fits what this server can do.",
    )


def _said(error: APIStatusError, settings: ModelSettings) -> str:
    """The server's own words after a colon, ended by a full stop."""
    words = error.api_message
    if not isinstance(words, str) or not words.strip():
        return "."
    return f": {_safe(words.strip().rstrip('.'), settings)}."


def _safe(words: str, settings: ModelSettings) -> str:
    """`words` on one line, cut short, and without anything that is or looks like a key."""
    if settings.api_key and (key := settings.api_key.reveal()):
        words = words.replace(key, "…")
    words = " ".join(whole_characters(_KEY_LIKE.sub("…", words)).split())
    if len(words) <= MAX_QUOTED_CHARACTERS:
        return words
    return words[: MAX_QUOTED_CHARACTERS - 1] + "…"


def _server_name(settings: ModelSettings) -> str:
    """For people; a base URL's user and password are left out."""
    host = urlsplit(settings.base_url).netloc.rpartition("@")[2] if settings.base_url else ""
    return f"The model's server at {host}" if host else "The model's server"


def _retry_after_s(headers: httpx2.Headers) -> float | None:
    """RFC 9110 10.2.3: seconds or a date; `retry-after-ms` is the API's own and more exact."""
    if (milliseconds := _seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    # A date without a zone is in UTC.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if number >= 0 and not math.isnan(number) else None
