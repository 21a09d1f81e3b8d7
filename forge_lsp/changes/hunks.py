"""Hunks: the places in which two texts differ, line by line."""

from collections.abc import Collection

import msgspec

from forge_lsp.changes.lines import Block, lines_of, matching_blocks


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
    return _hunks(lines_of(_encoded(before)), lines_of(_encoded(after)))


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
