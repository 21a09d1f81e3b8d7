"""The demo model's answer to a request that chooses files."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from forge_lsp.claude.demo.asked import Asked
from forge_lsp.claude.demo.catalogue import apps
from forge_lsp.events import EditType

MAX_TARGETS = 3
CONFIDENCE = 0.9

_KINDS: tuple[tuple[EditType, str], ...] = (
    ("FIX_ISSUE", r"\b(fix|repair|bug|error|broken)"),
    ("UPDATE_STYLE", r"\b(dark|style|colou?r|accent|theme|font|layout)"),
    ("REFACTOR", r"\b(refactor|rename|move|clean)"),
    ("ADD_FEATURE", r"\b(add|new|include|insert)"),
)
_COMMON = frozenset({"src", "tsx", "jsx", "component", "app", "the", "and", "add", "file", "index"})


def selection(asked: Asked) -> str:
    """JSON that fits `generation.selection.SELECTION_SCHEMA`: the paths whose names share the
    most words with the prompt, else the app's main file."""
    words = _words(asked.prompt) | _words(" ".join(_edited(asked.prompt)))
    scores = {path: len(words & _words(path)) for path in asked.paths}
    best = sorted((path for path, score in scores.items() if score), key=lambda path: -scores[path])
    main = [path for path in asked.paths if PurePosixPath(path).stem == "App"]
    kinds = (kind for kind, said in _KINDS if re.search(said, asked.prompt, re.IGNORECASE))
    return json.dumps(
        {
            "targets": (best or main)[:MAX_TARGETS],
            "editType": next(kinds, "UPDATE_COMPONENT"),
            "reason": "The names of these files share words with the request.",
            "confidence": CONFIDENCE if best else 0.3,
        }
    )


def _edited(prompt: str) -> Iterator[str]:
    """The paths of the files that the edits named in the prompt change."""
    said = prompt.lower()
    for app in apps():
        for edit in app.edits:
            if any(re.search(rf"\b{re.escape(word)}\b", said) for word in edit.words):
                yield from edit.replacements


def _words(text: str) -> set[str]:
    """Lower-case words, parted at capitals too, without plurals and what every path has."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return {
        word.lower().removesuffix("s") for word in re.findall(r"[A-Za-z]{3,}", parted)
    } - _COMMON
