"""The tags of a reply, line by line.

A tag counts only at the start of a line, and everything here looks at one line without its line
end. Nothing is ever un-escaped: `&lt;` in JSX is meant.
"""

import re
from dataclasses import dataclass
from typing import Literal

MAX_TAG_CHARACTERS = 2048
"""A longer line is text, whatever it begins with; so a line need not be held for longer."""

_NAMES = ("file", "edit", "delete", "rename", "package", "done")
_BEGINNING = re.compile(r"<[ \t]*/?[ \t]*([a-z]*)")
_OPENING = re.compile(r"<[ \t]*(file|edit)(?=[\s>/])([^<>]*)(>?)(.*)", re.DOTALL)
_BROKEN_OPENING = re.compile(r"<?[ \t]*file(?=[ \t])([^<>]*)>?\s*")
_CLOSING = re.compile(r"<[ \t]*/[ \t]*(file|edit)[ \t]*>\s*")
_CLOSED = re.compile(r"([^\n]*)<[ \t]*/[ \t]*(file|edit)[ \t]*>\s*")
_EMPTY = re.compile(
    r"<[ \t]*(delete|rename|package|done)(?=[\s>/])([^<>]*)>[ \t]*"
    r"(?:<[ \t]*/[ \t]*(?:delete|rename|package|done)[ \t]*>)?\s*"
)
_ATTRIBUTE = re.compile(
    r"""(?<![A-Za-z])([A-Za-z]++)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s"'/]+(?:/[^\s"'/]+)*))"""
)
_PATH_ATTRIBUTES = ("path", "name", "filename", "filePath")


@dataclass(frozen=True, slots=True)
class OpeningTag:
    """`<file path="…">` or `<edit path="…">`."""

    kind: Literal["file", "edit"]
    path: str
    """As it stands there; empty where the tag names none."""
    is_empty: bool
    """It closes itself, so it has no body."""
    rest: str
    """What stands behind it on its line."""


@dataclass(frozen=True, slots=True)
class EmptyTag:
    """A tag without a body, such as `<delete path="…"/>`."""

    kind: Literal["delete", "rename", "package", "done"]
    attributes: dict[str, str]


def may_be_tag(beginning: str) -> bool:
    """Whether a line that begins so could still turn out to hold a tag at its start."""
    found = _BEGINNING.match(beginning)
    if not found or len(beginning) > MAX_TAG_CHARACTERS:
        return False
    name = found[1]
    if found.end() < len(beginning):
        return name in _NAMES
    return any(known.startswith(name) for known in _NAMES)


def opening_tag(line: str) -> OpeningTag | None:
    """The tag of a file or an edit at the start of `line`."""
    found = _OPENING.match(line)
    if not found:
        return None
    inside = found[2].rstrip()
    if not found[3] and not inside.endswith(('"', "'")):
        # Without its `>`, only a quoted path is sure to be whole.
        return None
    kind: Literal["file", "edit"] = "file" if found[1] == "file" else "edit"
    return OpeningTag(kind, _path(inside), inside.endswith("/"), found[4].strip("\r\n"))


def closed_content(tag: OpeningTag) -> str | None:
    """What stands between a tag and its closing tag on the same line; None without the latter."""
    found = _CLOSED.fullmatch(tag.rest)
    return found[1] if found and found[2] == tag.kind else None


def closing_tag(line: str) -> Literal["file", "edit"] | None:
    """What `line` closes, where it is nothing but a closing tag."""
    found = _CLOSING.fullmatch(line)
    if not found:
        return None
    return "file" if found[1] == "file" else "edit"


def empty_tags(line: str) -> list[EmptyTag]:
    """The tags without a body that make up `line`; none where it holds anything else."""
    tags: list[EmptyTag] = []
    place = 0
    while place < len(line):
        found = _EMPTY.match(line, place)
        if not found:
            return []
        match found[1]:
            case "delete" | "rename" | "package" | "done" as kind:
                tags.append(EmptyTag(kind, _attributes(found[2])))
            case _:
                return []
        place = found.end()
    return tags


def path_of_broken_tag(line: str) -> str:
    """The path in a line such as `file path="src/App.tsx">`, which lost its `<`; else empty."""
    found = _BROKEN_OPENING.fullmatch(line)
    return _path(found[1]) if found else ""


def _path(inside: str) -> str:
    attributes = _attributes(inside)
    return next((attributes[name] for name in _PATH_ATTRIBUTES if name in attributes), "")


def _attributes(inside: str) -> dict[str, str]:
    return {
        found[1]: next(value for value in found.groups()[1:] if value is not None)
        for found in _ATTRIBUTE.finditer(inside)
    }
