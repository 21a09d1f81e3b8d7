"""What a page reports, read with the caution that hostile input needs."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from forge_lsp.sandbox.output import without_controls

MAX_REPORT_BYTES = 1 << 19
MAX_HAPPENED = 30
MAX_TEXT_CHARACTERS = 4_000
MAX_STACK_CHARACTERS = 16_000
MAX_FRAMES = 40

_FRAME = re.compile(
    r"(?P<url>(?:https?|webpack-internal|file)://[^\s\"'<>]{1,1000}?)"
    r":(?P<line>\d{1,7}):(?P<column>\d{1,7})(?=[\s),]|$)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in what the browser ran. Lines and columns count from 1."""

    url: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened on a page."""

    kind: Literal["loaded", "thrown", "logged"]
    text: str
    """For people, without control characters."""
    frames: Sequence[Frame]
    """The innermost first."""


@dataclass(frozen=True, slots=True)
class PageReport:
    """What happened on one page, as long as it was loaded."""

    page: str
    """A name that the page gave itself when it was loaded."""
    happened: Sequence[Happening]


def parse_report(body: bytes) -> PageReport | None:
    """Read what a page sent; None where that is no report."""
    try:
        report: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(report, dict):
        return None
    fields = cast("dict[str, Any]", report)
    page, happened = fields.get("page"), fields.get("happened")
    if not isinstance(page, str) or not isinstance(happened, list):
        return None
    read = map(_happening, cast("list[Any]", happened)[:MAX_HAPPENED])
    return PageReport(page[:64], tuple(each for each in read if each))


def frames_of(stack: str) -> Sequence[Frame]:
    """The places that a stack names, in the forms of Chromium, Firefox and Safari."""
    found = _FRAME.finditer(stack[:MAX_STACK_CHARACTERS])
    return tuple(
        Frame(match["url"], max(int(match["line"]), 1), max(int(match["column"]), 1))
        for match, _ in zip(found, range(MAX_FRAMES), strict=False)
    )


def _happening(given: Any) -> Happening | None:
    if not isinstance(given, dict):
        return None
    fields = cast("dict[str, Any]", given)
    kind, text, stack = fields.get("kind"), fields.get("text"), fields.get("stack")
    if kind not in ("loaded", "thrown", "logged"):
        return None
    if not isinstance(text, str) or not isinstance(stack, str):
        return None
    return Happening(kind, without_controls(text[:MAX_TEXT_CHARACTERS]), frames_of(stack))
