"""Source maps: where in a file the code stands that a browser ran.

The format is ECMA-426. The maps come out of a sandbox, so every function here is total: what
isn't a map, or leads nowhere, is None.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

MAX_MAPPINGS_CHARACTERS = 2_000_000
MAX_VALUE = 1 << 31
"""What a number of the mappings can reach, by the format."""

_REFERENCE = re.compile(rb"^[ \t]*//[#@] sourceMappingURL=(\S+)", re.MULTILINE)
_INLINE = re.compile(
    rb"data:application/json(?:;charset=[\w-]+)?;base64,([A-Za-z0-9+/=]+)", re.IGNORECASE
)
_DIGITS = {
    sign: value
    for value, sign in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

SourceMap = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in the source. The line and the column count from 1, columns in UTF-16."""

    source: str
    """As the map names it: relative to the module, or an address of the bundler's own."""
    line: int
    column: int


def map_reference(module: bytes) -> bytes | None:
    """What the module's last line names as its map: an address, or the map itself."""
    references = _REFERENCE.findall(module)
    return references[-1] if references else None


def inline_map(module: bytes) -> SourceMap | None:
    """The map that the module carries in itself."""
    reference = map_reference(module)
    match = _INLINE.fullmatch(reference) if reference else None
    if match is None:
        return None
    try:
        return parse_map(base64.b64decode(match[1]))
    except binascii.Error:
        return None


def parse_map(text: bytes) -> SourceMap | None:
    """A map that was asked for on its own."""
    try:
        held: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("SourceMap", held) if isinstance(held, dict) else None


def origin_of(held: SourceMap, line: int, column: int) -> Origin | None:
    """Where the code came from that stands at this line and column, both counted from 1."""
    return _origin(_section(held, line - 1, column - 1), line - 1, column - 1)


@dataclass(frozen=True, slots=True)
class _Section:
    held: SourceMap
    line: int = 0
    column: int = 0


def _section(held: SourceMap, line: int, column: int) -> _Section:
    """Of an index map, the last map that begins before the place; else the map itself."""
    chosen = _Section(held)
    sections = held.get("sections")
    for each in cast("list[Any]", sections) if isinstance(sections, list) else ():
        try:
            begin = (int(each["offset"]["line"]), int(each["offset"]["column"]))
            inner = each["map"]
        except (TypeError, KeyError, ValueError, OverflowError):
            continue
        if isinstance(inner, dict) and begin <= (line, column):
            chosen = _Section(cast("SourceMap", inner), *begin)
    return chosen


def _origin(section: _Section, line: int, column: int) -> Origin | None:
    mappings, sources = section.held.get("mappings"), section.held.get("sources")
    if not isinstance(mappings, str) or not isinstance(sources, list):
        return None
    column -= section.column if line == section.line else 0
    found = _find(mappings[:MAX_MAPPINGS_CHARACTERS], line - section.line, column)
    names = cast("list[object]", sources)
    if found is None or not 0 <= found[0] < len(names):
        return None
    name, root = names[found[0]], section.held.get("sourceRoot")
    if not isinstance(name, str) or not all(0 <= each < MAX_VALUE for each in found):
        return None
    prefix = f"{root.rstrip('/')}/" if isinstance(root, str) and root else ""
    return Origin(prefix + name, found[1] + 1, found[2] + 1)


def _find(mappings: str, line: int, column: int) -> tuple[int, int, int] | None:
    """The source's number, its line and its column for the last segment that begins at or before
    the column; all count from 0, as do `line` and `column`."""
    lines = mappings.split(";", line + 1)
    if not 0 <= line < len(lines):
        return None
    source = original_line = original_column = 0
    best = None
    for number, text in enumerate(lines[: line + 1]):
        generated = 0
        for segment in text.split(",") if text else ():
            fields = list(_decoded(segment))
            if not fields:
                return None
            generated += fields[0]
            if number == line and generated > column:
                break
            place = None
            if len(fields) >= 4:
                source += fields[1]
                original_line += fields[2]
                original_column += fields[3]
                place = (source, original_line, original_column)
            if number == line:
                best = place
    return best


def _decoded(segment: str) -> Iterator[int]:
    """The numbers of a segment: base 64, seven digits at most, the lowest bit is the sign.

    None at all where it is malformed.
    """
    numbers: list[int] = []
    value = shift = 0
    for sign in segment:
        digit = _DIGITS.get(sign)
        if digit is None or shift > 30:
            return
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    if not shift:
        yield from numbers
