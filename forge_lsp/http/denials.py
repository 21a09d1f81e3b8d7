"""Refusals that `/v1` has words of its own for, beside what their status says."""

from math import ceil
from typing import ClassVar

from aiohttp import hdrs, web

from forge_lsp.ports.accounts import Scope


class Unauthorized(web.HTTPUnauthorized):
    """No token, or one that isn't known or was revoked."""

    v1_code: ClassVar[str] = "invalid_key"

    def __init__(self) -> None:
        super().__init__(text="Unauthorized", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


class ExpiredToken(Unauthorized):
    """A token whose time is over."""

    v1_code = "expired_key"


class MissingScope(web.HTTPForbidden):
    """A token that doesn't let its caller do this."""

    v1_code: ClassVar[str] = "missing_scope"

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        super().__init__(text=f"The token lacks the scope {' or '.join(scopes)}")


class ProRequired(web.HTTPForbidden):
    """The account lacks a feature; the sentence is the contract's."""

    v1_code: ClassVar[str] = "tier_required"

    def __init__(self) -> None:
        super().__init__(text="Pro is required")


class QuotaExceeded(web.HTTPForbidden):
    """The account has used up what it may use in a day."""

    v1_code: ClassVar[str] = "quota_exceeded"

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text=text, headers=_retry_after(retry_after_s))


class TooMany(web.HTTPTooManyRequests):
    """More requests, or runs at once, than the account may make."""

    v1_code: ClassVar[str] = "rate_limited"

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text=text, headers=_retry_after(retry_after_s))


def _retry_after(seconds: float) -> dict[str, str]:
    return {hdrs.RETRY_AFTER: str(max(1, ceil(seconds)))}
