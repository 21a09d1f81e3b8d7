"""The demo model's part in skills: what it has prepared for the apps that it writes itself."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

from forge_lsp.claude.demo import sources
from forge_lsp.claude.demo.asked import Asked
from forge_lsp.claude.demo.catalogue import Edit, edit_of
from forge_lsp.claude.demo.written import CANNED, prose

_ASKED = re.compile(r"Carry out the (critique|augmenter) ([a-z0-9-]+) on ")
"""How a request for a skill begins; see `generation.skill_prompts`."""
_MARKS = {"counter": "Counter.tsx", "landing": "Hero.tsx"}
"""The apps that something is prepared for, and a file that only they have."""
_PLACE = re.compile(r' path="([^"]+)" at="([^"]+)"')
"""In a prepared insight: a file of the demo's, and what stands on the line."""
_UNKNOWN = (
    "It has nothing prepared for {} on this code, only on a counter and a landing page of its own. "
    "Set ANTHROPIC_API_KEY for a model that thinks."
)


def is_asked(asked: Asked) -> bool:
    """Whether a skill is to be carried out."""
    return _ASKED.match(asked.prompt) is not None


def changes(asked: Asked) -> Sequence[Edit]:
    """What the augmenter that is asked for would change; empty for critiques, and where nothing
    is prepared or it is made already."""
    kind, alias = _named(asked)
    reply = _prepared(asked, alias) if kind == "augmenter" else ""
    edit = edit_of(reply, ())
    is_fitting = sources.places(asked.files, [edit]) and not sources.is_made(asked.files, edit)
    return (edit,) if is_fitting else ()


def words(asked: Asked) -> str:
    """The reply of a critique, or of an augmenter that changes nothing."""
    kind, alias = _named(asked)
    reply = _prepared(asked, alias)
    if kind == "augmenter":
        is_made = bool(reply) and sources.is_made(asked.files, edit_of(reply, ()))
        return prose("There is nothing to do." if is_made else _UNKNOWN.format(alias))
    if not reply:
        return f"{CANNED} {_UNKNOWN.format(alias)}\n"
    placed = _PLACE.sub(lambda place: _placed(asked, place[1], place[2]), reply)
    return f"{CANNED}\n\n{placed}"


def _named(asked: Asked) -> tuple[str, str]:
    found = _ASKED.match(asked.prompt)
    return (found[1], found[2]) if found else ("", "")


def _prepared(asked: Asked, alias: str) -> str:
    """Empty where there is nothing."""
    known = [*asked.files, *asked.paths]
    apps = (app for app, mark in _MARKS.items() if sources.named_alike(known, mark))
    return next((text for app in apps if (text := _texts().get(f"{alias}-{app}"))), "")


def _placed(asked: Asked, own: str, at: str) -> str:
    """The place as an insight has it; empty where the request doesn't show it."""
    path = sources.named_alike(asked.files, own)
    lines = asked.files[path].splitlines() if path else ()
    number = next((index for index, line in enumerate(lines, 1) if at in line), None)
    return f' path="{path}" line="{number}"' if number else ""


@cache
def _texts() -> dict[str, str]:
    folder = resources.files("forge_lsp.claude.demo") / "skills"
    return {
        place.name.removesuffix(".txt"): place.read_text(encoding="utf-8")
        for place in folder.iterdir()
    }
