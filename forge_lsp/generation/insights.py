"""Insights in the reply of a critique, and the prose around them.

An insight is a tag at the start of a line, whose detail ends at its closing tag, at a blank line,
where another insight begins, or with the reply:

    <insight kind="bug" path="src/App.tsx" line="12" label="One line">What it means.</insight>

The parser is total, incremental and linear, as the one of files is: it takes any text in any
pieces, never raises, and gives the same however the text is cut (once adjacent `Prose` is joined).
"""

import re
from dataclasses import dataclass

from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.reply import Prose
from forge_lsp.paths import ProjectPath, is_allowed

MOST_INSIGHTS = 200
"""Of one reply; what follows them is left out."""
MAX_TAG_CHARACTERS = 2048
"""A line that has no whole tag in so many characters is text, so no more is held back."""
MAX_KIND_CHARACTERS = 40
MAX_LABEL_CHARACTERS = 200
MAX_DETAIL_CHARACTERS = 4_000
NO_KIND = "note"

_MARK = "<insight"
_CLOSING = "</insight>"
_BEFORE = re.compile(r"[ \t]*+(?:[-*][ \t]*+)?")
"""Models like to make a list of them."""
_VALUE = r"""(?:"[^"\n]*+"|'[^'\n]*+'|[^\s"'<>/]++(?>(?:/[^\s"'<>/]++)*))"""
_ATTRIBUTE = re.compile(rf"([A-Za-z]++)\s*+=\s*+({_VALUE})")
# An atomic group and not `*+` around it: Python before 3.11.5 matches that wrongly (gh-106052).
_OPENING = re.compile(rf"<insight((?>(?:\s++[A-Za-z]++\s*+=\s*+{_VALUE})*))\s*+(/?)>")
_PLACE = re.compile(r"(?s)(.*):(\d{1,9})(?::\d+)?(?:-\d+)?", re.ASCII)
_NUMBER = re.compile(r"\D{0,8}(\d{1,9})(?!\d)", re.ASCII)
_NOT_SAID = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for tabs and line ends, and those that turn text around."""
_ENTITIES = {"&quot;": '"', "&apos;": "'", "&#39;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)))


@dataclass(frozen=True, slots=True)
class FoundInsight:
    """One thing that a skill says it found; whether its place exists, nobody has looked yet."""

    kind: str
    label: str
    """One line, never empty."""
    detail: str
    path: ProjectPath | None = None
    line: int | None = None
    """Counted from 1; None where there is no path, either."""


@dataclass(frozen=True, slots=True)
class _Tag:
    attributes: dict[str, str]
    is_empty: bool
    """It closes itself."""
    rest: str
    """What stands behind it on its line."""


@dataclass(slots=True)
class _Open:
    attributes: dict[str, str]
    parts: list[str]


class InsightParser:
    """Reads one reply."""

    def __init__(self) -> None:
        self._given: list[Prose | FoundInsight] = []
        self._line: list[str] = []
        """The line so far, where it may still turn out to matter."""
        self._is_text = False
        """The line so far doesn't matter and was passed on."""
        self._is_kept = False
        """The line so far is part of an insight, so it is kept to its end, however long."""
        self._open: _Open | None = None
        self._found = 0

    def feed(self, text: str) -> list[Prose | FoundInsight]:
        """Take some more of the reply; gives what is certain now."""
        for part in lines_of(text):
            self._take(part)
        return self._taken()

    def finish(self) -> list[Prose | FoundInsight]:
        """The reply has no more text; gives what was held back."""
        if self._line:
            self._take_line(self._end_line())
        self._is_text = False
        self._close()
        return self._taken()

    def _taken(self) -> list[Prose | FoundInsight]:
        given, self._given = self._given, []
        return given

    def _take(self, part: str) -> None:
        """A part of a line; the last one of it ends in LF."""
        is_end = part.endswith("\n")
        if self._is_text:
            self._is_text = not is_end
            self._say(part)
            return
        self._line.append(part)
        if is_end:
            self._take_line(self._end_line())
        elif not (self._open or self._is_kept):
            self._take_beginning("".join(self._line))

    def _take_beginning(self, line: str) -> None:
        """The line so far, no longer than a tag may be, and the last part of it."""
        self._line = [line]
        if len(line) > MAX_TAG_CHARACTERS:
            self._is_kept = _opening(line) is not None
            self._is_text = not self._is_kept
        else:
            self._is_text = not _may_matter(line)
        if self._is_text:
            self._say(self._end_line())

    def _end_line(self) -> str:
        line = "".join(self._line)
        self._line, self._is_kept = [], False
        return line

    def _take_line(self, line: str) -> None:
        opening = _opening(line)
        if opening is not None:
            self._close()
            self._begin(opening)
        elif self._open is None:
            if not _only_closes(line):
                self._say(line)
        elif not line.strip():
            self._close()
            self._say(line)
        else:
            self._add(self._open, line)

    def _begin(self, tag: _Tag) -> None:
        self._open = _Open(tag.attributes, [])
        if tag.is_empty:
            self._close()
            self._say_rest(tag.rest)
        else:
            self._add(self._open, tag.rest)

    def _add(self, opened: _Open, text: str) -> None:
        detail, closing, rest = text.partition(_CLOSING)
        opened.parts.append(detail)
        if closing:
            self._close()
            self._say_rest(rest)

    def _say_rest(self, rest: str) -> None:
        """What stands behind an insight on its line."""
        if rest.strip():
            self._say(rest)

    def _say(self, text: str) -> None:
        self._given.append(Prose(text))

    def _close(self) -> None:
        opened, self._open = self._open, None
        found = opened and _insight(opened.attributes, "".join(opened.parts))
        if found and self._found < MOST_INSIGHTS:
            self._found += 1
            self._given.append(found)


def _may_matter(beginning: str) -> bool:
    """Whether a line that begins so could still hold an insight's tag, or a closing tag alone."""
    before = _BEFORE.match(beginning)
    rest = beginning[before.end() :] if before else beginning
    return any(mark.startswith(rest) or rest.startswith(mark) for mark in (_MARK, _CLOSING))


def _only_closes(line: str) -> bool:
    """Whether a line is nothing but a closing tag, which was too late."""
    return len(line.removesuffix("\n")) <= MAX_TAG_CHARACTERS and line.strip() == _CLOSING


def _opening(line: str) -> _Tag | None:
    before = _BEFORE.match(line)
    found = _OPENING.match(line, before.end() if before else 0, MAX_TAG_CHARACTERS)
    if found is None:
        return None
    return _Tag(_attributes(found[1]), bool(found[2]), line[found.end() :])


def _attributes(inside: str) -> dict[str, str]:
    return {found[1].lower(): _unquoted(found[2]) for found in _ATTRIBUTE.finditer(inside)}


def _unquoted(value: str) -> str:
    return value.strip(value[0]) if value[0] in "\"'" else value


def _plain(value: str) -> str:
    """An attribute's value on one line; there, unlike in code, entities are only a way to write."""
    meant = _ENTITY.sub(lambda entity: _ENTITIES[entity[0]], value)
    return " ".join(_sayable(meant).split())


def _sayable(text: str) -> str:
    """In characters that can be stored and shown."""
    return _NOT_SAID.sub("", text.encode(errors="replace").decode())


def _insight(attributes: dict[str, str], body: str) -> FoundInsight | None:
    """None where it says nothing."""
    detail = _sayable(body).strip()
    label = _plain(attributes.get("label", "")) or " ".join(detail.partition("\n")[0].split())
    if not label:
        return None
    path, line = _place(attributes.get("path", ""), attributes.get("line", ""))
    return FoundInsight(
        kind=_cut(_plain(attributes.get("kind", "")).lower(), MAX_KIND_CHARACTERS) or NO_KIND,
        label=_cut(label, MAX_LABEL_CHARACTERS),
        detail=_cut(detail or label, MAX_DETAIL_CHARACTERS),
        path=path,
        line=line,
    )


def _place(path: str, line: str) -> tuple[ProjectPath | None, int | None]:
    if not line and (both := _PLACE.fullmatch(path)):
        path, line = both[1], both[2]
    if not is_allowed(path):
        return None, None
    number = _NUMBER.match(line)
    return ProjectPath.parse(path), max(1, int(number[1])) if number else None


def _cut(text: str, most_characters: int) -> str:
    return text if len(text) <= most_characters else f"{text[: most_characters - 1]}…"
