"""Lists, a page at a time: the newest first, and an opaque cursor to what is behind."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from forge_lsp.errors import InvalidRequest

LIMIT = 20
MAX_LIMIT = 100
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_PLACE = re.compile(r"([0-9]{1,15}) ([\x21-\x7e]{1,4096})", re.ASCII)
"""A project that is open in an editor has its folder's URI for an id."""
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Page:
    """What a client asked for."""

    limit: int = LIMIT
    before: tuple[int, str] | None = None
    """When the last one of the page before was created, and its id; None for the first page."""

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> "Page":
        """By `limit`, of which at most 100 are given, and `cursor`; raises `InvalidRequest`."""
        limit = query.get("limit", str(LIMIT))
        if not _NUMBER.fullmatch(limit) or int(limit) == 0:
            raise InvalidRequest(f"limit: a number from 1 to {MAX_LIMIT} is asked for")
        cursor = query.get("cursor")
        return cls(min(int(limit), MAX_LIMIT), None if cursor is None else _place(cursor))

    def of(
        self,
        found: Sequence[ItemT],
        place: Callable[[ItemT], tuple[int, str]],
        told: Callable[[ItemT], Mapping[str, object]],
    ) -> dict[str, object]:
        """The answer, of which `found` holds one more than asked for where there is more."""
        items = found[: self.limit]
        has_more = len(found) > self.limit
        return {
            "data": [told(item) for item in items],
            "nextCursor": _cursor(*place(items[-1])) if has_more else None,
            "hasMore": has_more,
        }


def _cursor(at: int, of: str) -> str:
    return base64.urlsafe_b64encode(f"{at} {of}".encode()).rstrip(b"=").decode()


def _place(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error):
        text = ""
    found = _PLACE.fullmatch(text)
    place = (int(found[1]), found[2]) if found else None
    if place is None or _cursor(*place) != cursor:
        raise InvalidRequest("cursor: it is none that a page before has given")
    return place
