"""What a request on the wire asks, as far as the demo model understands it.

The prompts are those of `generation.prompts` and `generation.selection`, read backwards.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from forge_lsp.events import EditType
from forge_lsp.generation.by_hand import BEGINNING
from forge_lsp.generation.problems import fix_prompt
from forge_lsp.generation.prompts import request_text
from forge_lsp.generation.reviews import review_prompt
from forge_lsp.generation.summaries import ASKING, SUMMARY_SYSTEM

_FENCED = re.compile(r"^(~{4,}) ?([^\n]*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_LISTED = re.compile(
    r"^(?:The files of the project|The project's files):\n(~{4,})\n(.*?)^\1$",
    re.DOTALL | re.MULTILINE,
)
_SELECTING = re.compile(r"^The request:\n(~{4,})\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_MENDING = re.compile(r"(Your edit of|The change of) (.+?) (?:could not|can't) be made")
_CONTINUING = "Your reply was cut off."
_FIXING = fix_prompt((), {})
_REVIEWING = review_prompt((), has_picture=False)
_PLANNING = "Plan the app that the developer asks for:"
_PLANNED_FILE = re.compile(r"Write the file (\S.*?) of the plan, whole: ")
_ABOUT_SELECTION = "\n\nThe request is about this part"
_BY_HAND = f"\n\n{BEGINNING}"
_HINTS = [
    request_text("", selection=None, selection_path=None, edit_type=kind)
    for kind in get_args(EditType)
]
_CREATING = re.compile(r"\b(build|create|design|generate|make|new|scaffold|start|write)\b", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, taken apart. Lines end at LF."""

    prompt: str
    """What the developer asked for."""
    files: Mapping[str, str]
    """The files that the request shows whole, as it shows them last."""
    paths: Sequence[str]
    """The paths that the request lists."""
    takes_edits: bool
    """Search/replace edits are wanted; otherwise whole files."""
    mending: str | None
    """The one file to be written now, after an edit of it didn't fit."""
    is_selecting: bool
    """JSON is wanted that chooses files."""
    is_fixing: bool
    """Problems of the app are to be mended."""
    is_planning: bool = False
    """JSON is wanted that plans an app."""
    planned_file: str | None = None
    """The one file of a plan that is to be written."""
    is_reviewing: bool = False
    """An app that was built is to be read as a whole."""
    summarising: str | None = None
    """The turn that asks for a summary of a conversation."""

    def names(self, words: Sequence[str]) -> bool:
        """Whether the prompt holds any of `words`."""
        return any(
            re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", self.prompt, re.I) for word in words
        )

    @property
    def is_creating(self) -> bool:
        """Whether the prompt asks for something new."""
        return _CREATING.search(self.prompt) is not None


def parse(body: bytes) -> Asked:
    """Read the body of a request; ClaudeModel made it, so it has the API's shape."""
    fields: dict[str, Any] = json.loads(body)
    said = [
        text.replace("\r\n", "\n")
        for turn in fields["messages"]
        if turn["role"] == "user"
        for text in _texts(turn["content"])
    ]
    shown = "\n".join(said)
    last = said[-1] if said else ""
    mending = _MENDING.match(last)
    selecting = _SELECTING.search(last)
    rules = "\n".join(_texts(fields.get("system", [])))
    files = {label: text for _, label, text in _FENCED.findall(shown) if label}
    planned = _PLANNED_FILE.match(last)
    is_reviewing = last.startswith(_REVIEWING)
    is_planning = last.startswith(_PLANNING)
    if planned or is_reviewing:
        prompt = files.get("request", "")
    else:
        prompt = selecting[2] if selecting else _prompt(said)
    return Asked(
        prompt=prompt,
        files=files,
        paths=[path for _, listed in _LISTED.findall(shown) for path in listed.splitlines()],
        takes_edits="<<<<<<< SEARCH" in rules and not (mending and mending[1] == "The change of"),
        mending=mending[2] if mending else None,
        is_selecting=selecting is not None and not is_planning,
        is_fixing=last.startswith(_FIXING),
        is_planning=is_planning,
        planned_file=planned[1] if planned else None,
        is_reviewing=is_reviewing,
        summarising=last if last.endswith(ASKING) and rules == SUMMARY_SYSTEM else None,
    )


def _prompt(said: Sequence[str]) -> str:
    """The last turn that isn't about the reply before it, without what was put around it."""
    asking = (
        text for text in reversed(said) if not _MENDING.match(text) and _CONTINUING not in text
    )
    prompt = next(asking, "").partition(_ABOUT_SELECTION)[0].partition(_BY_HAND)[0]
    for hint in _HINTS:
        prompt = prompt.removesuffix(hint)
    return prompt


def _texts(content: str | list[dict[str, Any]]) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [cast("str", block["text"]) for block in content if block["type"] == "text"]
