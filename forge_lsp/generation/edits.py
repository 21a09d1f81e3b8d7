"""Making the edits of a reply: exactly what was asked, or nothing.

All blocks of a file are looked up in the original, in any order, and must not overlap. A SEARCH
counts where it stands exactly once: to the letter, else but for space at line ends, else but for
one indent that all of its lines lack or have too much. Nothing is ever matched by likeness.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from forge_lsp.generation.blocks import is_marker
from forge_lsp.generation.elision import elides_code, is_elision
from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.matching import ABSENT, Match, NoMatch, SearchableLines
from forge_lsp.generation.reply import SearchReplace

__all__ = ["BlockFailure", "EditResult", "apply_blocks", "elides_code", "needs_whole_file"]

_NEAREST_LINES = 60
_NEAREST_CONTEXT = 3
_MAX_NEAREST = 20
"""Of more failed blocks than this, nobody looks at the nearest lines."""
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class BlockFailure:
    """A block that can't be made."""

    index: int
    block: SearchReplace
    reason: str
    """The end of a sentence, for people and for the model."""
    nearest: str
    """The lines of the file that are most like its SEARCH; empty where none are."""


@dataclass(frozen=True, slots=True)
class EditResult:
    """What became of an edit."""

    content: str | None
    """The whole file after it; None where a block failed, so that none is made."""
    failures: tuple[BlockFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class _Replacement:
    """Lines, with their ends, that take the place of those from `start` up to `end`."""

    start: int
    end: int
    lines: tuple[str, ...]


def apply_blocks(original: str, blocks: Sequence[SearchReplace]) -> EditResult:
    """Make all of `blocks` in `original`, or none.

    Line ends stay as they are in the file, whatever the reply has. A block whose REPLACE is
    there while its SEARCH isn't was made before, and changes nothing.
    """
    mark = _BYTE_ORDER_MARK if original.startswith(_BYTE_ORDER_MARK) else ""
    file = SearchableLines(original.removeprefix(mark))
    made: dict[int, _Replacement] = {}
    failed: dict[int, NoMatch] = {}
    for index, block in enumerate(blocks):
        outcome = _replacement(file, block)
        if isinstance(outcome, NoMatch):
            failed[index] = outcome
        elif outcome and outcome not in made.values():
            made[index] = outcome
    failed |= _overlaps(made)
    if not failed:
        return EditResult(mark + _assembled(file, list(made.values())))
    return EditResult(
        None,
        tuple(
            BlockFailure(
                index,
                blocks[index],
                failed[index].reason,
                _nearest(file, blocks[index].search) if count < _MAX_NEAREST else "",
            )
            for count, index in enumerate(sorted(failed))
        ),
    )


def needs_whole_file(original: str) -> bool:
    """Whether the file has lines that an edit's markers would be mistaken for."""
    return any(is_marker(line) for line in lines_of(original))


def _replacement(file: SearchableLines, block: SearchReplace) -> _Replacement | NoMatch | None:
    """What the block does; None: nothing, for it was made before."""
    search, replace = _contents(block.search), _contents(block.replace)
    wanted = {line.strip() for line in search}
    if any(is_elision(line) and line.strip() not in wanted for line in replace):
        return NoMatch("its REPLACE has a comment in place of code that should stay")
    if not block.search.strip():
        if any(line.strip() for line in file.contents):
            return NoMatch("its SEARCH is empty, which only an empty file allows")
        return _Replacement(0, len(file.lines), tuple(lines_of(block.replace)))
    found = file.find(search)
    if isinstance(found, NoMatch):
        is_made = found is ABSENT and re.search(r"\w", block.replace) and file.holds(replace)
        return None if is_made else found
    shifted = _shifted(replace, found)
    if isinstance(shifted, NoMatch):
        return shifted
    # Lines that SEARCH and REPLACE share stay as the file has them, to the last space.
    head = _common(search, replace)
    tail = _common(search[head:][::-1], replace[head:][::-1])
    own = file.lines[found.start : found.start + len(search)]
    line_end = _line_end(own[0]) or _line_end(file.lines[0]) or "\n"
    lines = [
        *own[:head],
        *(line + line_end for line in shifted[head : len(shifted) - tail]),
        *own[len(own) - tail :],
    ]
    if not _line_end(own[-1]):
        # The file's last line has no end, and so it stays.
        lines = [line if _line_end(line) else line + line_end for line in lines]
        lines[-1:] = [line.removesuffix(line_end) for line in lines[-1:]]
    return _Replacement(found.start, found.start + len(search), tuple(lines))


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _contents(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in lines_of(text)]


def _shifted(lines: Sequence[str], match: Match) -> list[str] | NoMatch:
    if any(line.strip() and not line.startswith(match.outdent) for line in lines):
        return NoMatch("its REPLACE is indented less than its SEARCH, and the file less than both")
    return [
        match.indent + line.removeprefix(match.outdent) if line.strip() else line for line in lines
    ]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    count = 0
    for line, twin in zip(one, other, strict=False):
        if line != twin:
            break
        count += 1
    return count


def _overlaps(made: dict[int, _Replacement]) -> dict[int, NoMatch]:
    """The blocks that reach into one that stands above them in the file."""
    overlaps: dict[int, NoMatch] = {}
    reached = 0
    for index, replacement in sorted(made.items(), key=lambda each: (each[1].start, each[0])):
        if replacement.start < reached:
            overlaps[index] = NoMatch("its SEARCH overlaps with that of another block")
        reached = max(reached, replacement.end)
    return overlaps


def _assembled(file: SearchableLines, replacements: list[_Replacement]) -> str:
    lines: list[str] = []
    place = 0
    for replacement in sorted(replacements, key=lambda each: each.start):
        lines += file.lines[place : replacement.start]
        lines += replacement.lines
        place = replacement.end
    return "".join((*lines, *file.lines[place:]))


def _nearest(file: SearchableLines, search: str) -> str:
    start, end = file.nearest(_contents(search)[:_NEAREST_LINES], _NEAREST_CONTEXT)
    return "".join(f"{line}\n" for line in file.contents[start:end])
