"""What the demo model can write: apps, and edits to them, kept as the replies they are sent as."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

_FILE = re.compile(r'^<file path="(.+?)">\n(.*?)^</file>$', re.DOTALL | re.MULTILINE)
_EDIT = re.compile(r'^<edit path="(.+?)">\n(.*?)^</edit>$', re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(
    r"^<<<<<<< SEARCH\n(.*?)\n=======\n(.*?)\n>>>>>>> REPLACE$", re.DOTALL | re.MULTILINE
)
_PACKAGE = re.compile(r'^<package name="(.+?)"/>$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Replacement:
    """Whole lines and what they become, both without the last line's ending."""

    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one of the apps, asked for by any of `words`."""

    words: Sequence[str]
    intro: str
    new_files: Mapping[str, str]
    replacements: Mapping[str, Sequence[Replacement]]
    """By the path that the file has in its app."""


@dataclass(frozen=True, slots=True)
class App:
    """An app for the template, asked for by any of `words`."""

    title: str
    words: Sequence[str]
    intro: str
    files: Mapping[str, str]
    packages: Sequence[str]
    edits: Sequence[Edit]
    review: Edit | None = None
    """What the reviewer of a build makes of it; None where nothing."""


COLOURS = {
    "green": "emerald",
    "emerald": "emerald",
    "red": "rose",
    "rose": "rose",
    "pink": "pink",
    "orange": "orange",
    "teal": "teal",
    "blue": "sky",
    "sky": "sky",
    "purple": "violet",
    "violet": "violet",
}
"""Tailwind's colours, by the words that ask for them."""
_WRITTEN_COLOUR = "emerald"
"""The colour that the edit of the accent is written with."""


@cache
def apps() -> Sequence[App]:
    """Every app; a prompt that names several gets the first of them."""
    return (
        _app(
            "counter",
            "a counter",
            ("counter", "increment", "decrement"),
            {"reset": ("reset",), "step": ("step",), "dark": ("dark", "night")},
        ),
        _app(
            "todo",
            "a to-do list",
            ("todo", "todos", "to-do", "to do list", "task", "tasks", "checklist"),
            {
                "filter": ("filter", "filters"),
                "clear": ("clear", "remove completed", "delete completed"),
            },
        ),
        _app(
            "dashboard",
            "a dashboard",
            ("dashboard", "analytics", "metrics", "chart", "orders"),
            {"search": ("search", "find")},
        ),
        _app(
            "landing",
            "a landing page with pricing",
            ("landing", "landing page", "pricing", "hero", "marketing", "home page", "website"),
            {
                "accent": ("accent", "colour", "color", "brand", "theme", *COLOURS),
                "questions": ("faq", "questions"),
            },
            has_review=True,
        ),
    )


def applied(files: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    """An app's files with `edits` made in them; the new ones come first."""
    changed = {path: text for edit in edits for path, text in edit.new_files.items()}
    changed.update(files)
    for edit in edits:
        for path, replacements in edit.replacements.items():
            for replacement in replacements:
                changed[path] = changed[path].replace(replacement.search, replacement.replace, 1)
    return changed


def coloured(edit: Edit, colour: str) -> Edit:
    """`edit` with `colour` for the one that it brings in; any other edit as it is."""
    if _WRITTEN_COLOUR not in edit.intro:
        return edit
    return replace(
        edit,
        intro=edit.intro.replace(_WRITTEN_COLOUR, colour),
        replacements={
            path: [
                Replacement(block.search, block.replace.replace(_WRITTEN_COLOUR, colour))
                for block in blocks
            ]
            for path, blocks in edit.replacements.items()
        },
    )


def _app(
    folder: str,
    title: str,
    words: Sequence[str],
    edits: Mapping[str, Sequence[str]],
    *,
    has_review: bool = False,
) -> App:
    reply = _read(folder, "app")
    return App(
        title=title,
        words=words,
        intro=_intro(reply),
        files=dict(_FILE.findall(reply)),
        packages=_PACKAGE.findall(reply),
        edits=tuple(edit_of(_read(folder, name), words) for name, words in edits.items()),
        review=edit_of(_read(folder, "review"), ()) if has_review else None,
    )


def edit_of(reply: str, words: Sequence[str]) -> Edit:
    """The edit that is kept as the reply `reply`."""
    return Edit(
        words=words,
        intro=_intro(reply),
        new_files=dict(_FILE.findall(reply)),
        replacements={
            path: tuple(Replacement(*block) for block in _BLOCK.findall(blocks))
            for path, blocks in _EDIT.findall(reply)
        },
    )


def _intro(reply: str) -> str:
    return reply.partition("\n")[0]


def _read(folder: str, name: str) -> str:
    place = resources.files("forge_lsp.claude.demo") / "apps" / folder / f"{name}.txt"
    return place.read_text(encoding="utf-8")
