"""Instruction comments: `forge: add a reset button`, in whatever way a language comments; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ANYWHERE = r"""(?<![:\w"'`])(?://+|\#+|--|/\*+|<!--|\{/\*+|\(\*)"""
"""These marks begin a comment also behind code; `://` is a URL."""
_AT_START = r"""^\s*(?:;+|%+|'|"|\*+|REM\b)"""
"""These mean something else behind code."""
_END = r"""\s*(?:\*+/\s*\}?|-->|\*\))?\s*$"""
_COMMENT = re.compile(
    rf"(?:{_AT_START}|{_ANYWHERE})\s*forge:\s*(?P<text>\S.*?){_END}", re.IGNORECASE
)
_MAX_LINE = 2_000
"""A longer line is no comment that somebody wrote."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What somebody wrote down to be done."""

    line: int
    text: str


def instructions_in(lines: Sequence[str]) -> Sequence[Instruction]:
    """Every instruction, from the top down."""
    return [
        Instruction(number, found["text"])
        for number, line in enumerate(lines)
        if "orge:" in line and len(line) <= _MAX_LINE and (found := _COMMENT.search(line.rstrip()))
    ]
