"""Finding the lines of a SEARCH in a file: exactly, or with differences that don't matter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from forge_lsp.generation.lines import lines_of


@dataclass(frozen=True, slots=True)
class Match:
    """Where a SEARCH stands: at `start`, 0-based, and how much deeper it is indented there."""

    start: int
    indent: str = ""
    """What each line there has in front of the SEARCH's."""
    outdent: str = ""
    """What each line of the SEARCH has in front of those there."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why a SEARCH leads nowhere: the end of a sentence."""

    reason: str


ABSENT = NoMatch("its SEARCH isn't in the file")
AMBIGUOUS = NoMatch("its SEARCH stands in the file more than once")

_MAX_SHIFTED = 20
"""In so many places, lines that differ by their indent alone are not looked at further."""


class SearchableLines:
    """The lines of a file, prepared for many searches; `contents` has them without their ends."""

    def __init__(self, text: str) -> None:
        self.lines = lines_of(text)
        self.contents = [line.rstrip("\r\n") for line in self.lines]

    @cached_property
    def _exact(self) -> str:
        return _joined(self.contents)

    @cached_property
    def _without_ends(self) -> str:
        return _joined(line.rstrip() for line in self.contents)

    @cached_property
    def _bare(self) -> str:
        return _joined(line.strip() for line in self.contents)

    def find(self, search: Sequence[str]) -> Match | NoMatch:
        """The one place where `search` stands; it must hold a line that isn't blank."""
        places = _places(self._exact, search, limit=2)
        places = places or _places(self._without_ends, [line.rstrip() for line in search], limit=2)
        if places:
            return Match(places[0]) if len(places) == 1 else AMBIGUOUS
        return self._find_shifted(search)

    def holds(self, lines: Sequence[str]) -> bool:
        """Whether `lines` stand somewhere, but for space at their ends."""
        return bool(_places(self._without_ends, [line.rstrip() for line in lines], limit=1))

    def nearest(self, search: Sequence[str], context: int) -> tuple[int, int]:
        """The range of as many lines as `search` has, and `context` around them, that has most
        of its lines in common with it; an empty range where none has any."""
        wanted = {line.strip() for line in search} - {""}
        hits = [line.strip() in wanted for line in self.contents]
        width = min(len(search), len(hits))
        best, best_start = 0, 0
        count = sum(hits[:width])
        for start in range(len(hits) - width + 1):
            if count > best:
                best, best_start = count, start
            if start + width < len(hits):
                count += hits[start + width] - hits[start]
        if not best:
            return 0, 0
        return max(0, best_start - context), min(len(hits), best_start + width + context)

    def _find_shifted(self, search: Sequence[str]) -> Match | NoMatch:
        places = _places(self._bare, [line.strip() for line in search], limit=_MAX_SHIFTED)
        shifts = (
            _shift(search, self.contents[place : place + len(search)], place) for place in places
        )
        matches = [match for match in shifts if match]
        if len(matches) > 1 or len(places) == _MAX_SHIFTED:
            return AMBIGUOUS
        return matches[0] if matches else ABSENT


def _joined(lines: Iterable[str]) -> str:
    return "\n" + "".join(f"{line}\n" for line in lines)


def _places(haystack: str, lines: Sequence[str], limit: int) -> list[int]:
    """At which lines of `haystack`, made by `_joined`, `lines` stand; the first `limit` of them.

    Searching one string keeps this linear for lines that all look the same.
    """
    needle = _joined(lines)
    places: list[int] = []
    found = haystack.find(needle)
    while found >= 0 and len(places) < limit:
        places.append(haystack.count("\n", 0, found))
        found = haystack.find(needle, found + 1)
    return places


def _shift(search: Sequence[str], found: Sequence[str], start: int) -> Match | None:
    """The match, if one and the same indent tells all lines of `found` from those of `search`."""
    pairs = [
        (wanted.rstrip(), there.rstrip())
        for wanted, there in zip(search, found, strict=True)
        if wanted.strip()
    ]
    wanted, there = pairs[0]
    deeper = len(there) - len(wanted)
    if deeper >= 0:
        indent = there[:deeper]
        fits = all(line == indent + plain for plain, line in pairs)
        return Match(start, indent=indent) if fits else None
    outdent = wanted[:-deeper]
    fits = all(outdent + line == plain for plain, line in pairs)
    return Match(start, outdent=outdent) if fits else None
