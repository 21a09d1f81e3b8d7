"""Hunks: the places in which two texts differ, line by line."""

from collections.abc import Collection
from functools import lru_cache

import msgspec

from forge_lsp.changes.lines import Block, lines_of, matching_blocks
from forge_lsp.changes.texts import as_text

_LONG_BYTES = 100_000


class Hunk(msgspec.Struct, frozen=True):
    """One run of lines that differ. Line numbers are 0-based; lines end at LF alone."""

    before_start: int
    before_count: int
    after_start: int
    after_count: int


def hunks_between(before: str | bytes, after: str | bytes) -> tuple[Hunk, ...]:
    """The hunks that make `after` of `before`, in order, never touching each other.

    Text is compared as its UTF-8 bytes.
    """
    old, new = _encoded(before), _encoded(after)
    return _hunks_of_long(old, new) if len(old) + len(new) > _LONG_BYTES else _hunks_of(old, new)


def apply_hunks(before: bytes, after: bytes, chosen: Collection[int]) -> bytes:
    """`before` with only the `chosen` of `hunks_between(before, after)`, by their index.

    Raises `IndexError` where there is no such hunk.
    """
    before_lines, after_lines = lines_of(before), lines_of(after)
    hunks = _hunks(before_lines, after_lines)
    result: list[bytes] = []
    place = 0
    for index in sorted(set(chosen)):
        if index < 0:
            raise IndexError(f"there is no hunk {index}")
        hunk = hunks[index]
        result += before_lines[place : hunk.before_start]
        result += after_lines[hunk.after_start : hunk.after_start + hunk.after_count]
        place = hunk.before_start + hunk.before_count
    result += before_lines[place:]
    return b"".join(result)


def lines_changed(before: bytes | None, after: bytes | None) -> tuple[int, int]:
    """How many lines come and how many go; (0, 0) for what isn't text."""
    texts = (before or b"", after or b"")
    if any(as_text(each) is None for each in texts):
        return 0, 0
    hunks = hunks_between(*texts)
    return sum(each.after_count for each in hunks), sum(each.before_count for each in hunks)


def _hunks_of(before: bytes, after: bytes) -> tuple[Hunk, ...]:
    return _hunks(lines_of(before), lines_of(after))


_hunks_of_long = lru_cache(maxsize=8)(_hunks_of)
"""What takes long is asked again and again while it waits for review."""


def _hunks(before: list[bytes], after: list[bytes]) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    top = left = 0
    for block in [*matching_blocks(before, after), Block(len(before), len(after), 0)]:
        if block.before > top or block.after > left:
            hunks.append(Hunk(top, block.before - top, left, block.after - left))
        top, left = block.before + block.size, block.after + block.size
    return tuple(hunks)


def _encoded(text: str | bytes) -> bytes:
    # A lone surrogate is no reason to fail: it only has to differ from everything else.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
