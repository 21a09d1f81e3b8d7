"""What the SDK raises, in our words."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from connectrpc.errors import ConnectError
from e2b import (
    AuthenticationException,
    BuildException,
    NotEnoughSpaceException,
    RateLimitException,
    SandboxException,
    SandboxNotFoundException,
    TimeoutException,
)
from e2b.exceptions import (
    SandboxNotRunningException,
    SandboxUnreachableException,
    ServiceBusyException,
)

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.sandbox.e2b.cloud import KEY_REMEDY

MAX_DETAIL_CHARACTERS = 300
DISK_REMEDY = "Delete files in it, or build a template with a larger disk."

_GONE = (SandboxNotFoundException, SandboxNotRunningException)
_NETWORK = (httpx.TransportError, ConnectError, OSError)
"""Those that the SDK lets through: no connection, or one that was dropped."""
_PASSING = (
    *_NETWORK,
    RateLimitException,
    ServiceBusyException,
    SandboxUnreachableException,
    TimeoutException,
)
_PASSING_STATUSES = frozenset({500, 502, 504})


@dataclass(frozen=True, slots=True)
class _Explanation:
    kinds: tuple[type[Exception], ...]
    says: str
    remedy: str
    error: type[ForgeError] = SandboxFailed


_NETWORK_REMEDY = (
    "Check the network, and HTTPS_PROXY where there is one; https://status.e2b.dev tells how "
    "E2B is doing."
)
_EXPLANATIONS: Sequence[_Explanation] = (
    _Explanation(
        _GONE, "The sandbox has ended in the cloud", SandboxGone.remedy, error=SandboxGone
    ),
    _Explanation((AuthenticationException,), "E2B refused the key", KEY_REMEDY),
    _Explanation(
        (RateLimitException,),
        "E2B says that we ask too often, or have as many sandboxes as the account may have",
        "Wait a minute, or end other sandboxes of the account, then try again.",
    ),
    _Explanation(
        (ServiceBusyException,), "E2B has no room now", "Wait a few minutes and try again."
    ),
    _Explanation(
        (NotEnoughSpaceException,),
        "The sandbox's disk is full",
        DISK_REMEDY,
    ),
    _Explanation((SandboxUnreachableException, *_NETWORK), "E2B can't be reached", _NETWORK_REMEDY),
    _Explanation((TimeoutException,), "E2B did not answer in time", _NETWORK_REMEDY),
    _Explanation(
        (BuildException,), "E2B could not build the template", "Correct it and try again."
    ),
    _Explanation((SandboxException,), "E2B refused", "Run `forge-lsp doctor`, then try again."),
    _Explanation(
        (Exception,), "E2B answered what nobody understands", "Update forge-lsp and try again."
    ),
)


def is_passing(error: Exception) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, _GONE):
        return False
    if isinstance(error, _PASSING):
        return True
    return isinstance(error, SandboxException) and error.status_code in _PASSING_STATUSES


def explained(error: Exception, doing: str) -> ForgeError:
    """Our error for one of the SDK; `doing` names the call, as in "making a sandbox"."""
    found = next(each for each in _EXPLANATIONS if isinstance(error, each.kinds))
    return found.error(f"{found.says} while {doing}: {_detail(error)}", remedy=found.remedy)


def brief(error: Exception) -> str:
    """Why a call is made again, as the first half of a sentence."""
    return next(each for each in _EXPLANATIONS if isinstance(error, each.kinds)).says


def _detail(error: Exception) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:MAX_DETAIL_CHARACTERS].rstrip(".") + "."
