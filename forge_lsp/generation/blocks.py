"""The blocks of an edit: SEARCH, what is looked for, REPLACE, what takes its place."""

import re
from typing import Literal

from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.reply import SearchReplace

MAX_BLOCKS = 500
"""More blocks than this in one edit are refused: each costs a walk through the file."""

_MARKERS = {
    "SEARCH": re.compile(r"<{5,9} ?SEARCH\s*"),
    "=======": re.compile(r"={5,9}\s*"),
    "REPLACE": re.compile(r">{5,9} ?REPLACE\s*"),
}

_Part = Literal["outside", "search", "replace"]
_NEXT: dict[tuple[_Part, str], _Part] = {
    ("outside", "SEARCH"): "search",
    ("search", "======="): "replace",
    ("replace", "REPLACE"): "outside",
}


class BlocksRefused(ValueError):
    """An edit that isn't a sequence of blocks; its message is the end of a sentence."""


def is_marker(line: str) -> bool:
    """Whether `line` could be taken for one of the lines that make up a block."""
    return bool(_marker(line))


def parse_blocks(body: str) -> tuple[SearchReplace, ...]:
    """The blocks of an edit's body; raises `BlocksRefused`.

    Text between two blocks is left out. Nothing within a block is guessed: a marker in a place
    where none belongs makes the whole edit unclear.
    """
    blocks: list[SearchReplace] = []
    part: _Part = "outside"
    lines: dict[_Part, list[str]] = {}
    for line in lines_of(body):
        marker = _marker(line)
        if not marker:
            lines.setdefault(part, []).append(line)
            continue
        if (part, marker) not in _NEXT:
            raise BlocksRefused(f"a {marker} line stands where none belongs")
        part = _NEXT[part, marker]
        if part == "outside":
            search, replace = lines.get("search", ()), lines.get("replace", ())
            blocks.append(SearchReplace("".join(search), "".join(replace)))
            lines.clear()
    if part != "outside":
        raise BlocksRefused("its last block is not closed by a REPLACE line")
    if not blocks:
        raise BlocksRefused("it holds no SEARCH and REPLACE lines")
    if len(blocks) > MAX_BLOCKS:
        raise BlocksRefused(f"it holds more than {MAX_BLOCKS} blocks")
    return tuple(blocks)


def _marker(line: str) -> str:
    """Which marker `line` is; empty where it is none."""
    if line[:5] not in ("<<<<<", "=====", ">>>>>"):
        return ""
    return next((name for name, marker in _MARKERS.items() if marker.fullmatch(line)), "")
