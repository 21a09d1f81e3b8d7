"""Carrying out a WorkspaceEdit on disk, as an editor does that has none of the files open."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
"""For each position encoding, how a line is coded and how many bytes a unit has."""


class EditRefused(Exception):
    """An edit that this editor won't or can't carry out."""


def carry_out(edit: Mapping[str, Any], folder: Path, encoding: str) -> None:
    """Make the changes, in order.

    Raises `EditRefused` for what leads out of `folder`, or isn't a creation or a text edit.
    """
    for change in edit.get("documentChanges") or ():
        kind = change.get("kind", "edit")
        if kind == "create":
            place = _place_of(change["uri"], folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.open("xb").close()
        elif kind == "edit":
            place = _place_of(change["textDocument"]["uri"], folder)
            text = place.read_bytes().decode()
            place.write_bytes(edited(text, change["edits"], encoding).encode())
        else:
            raise EditRefused(f"This editor doesn't {kind} files.")


def edited(text: str, edits: Sequence[Mapping[str, Any]], encoding: str) -> str:
    """`text` after all of `edits`, whose ranges all speak of `text` as it is (LSP, TextEdit)."""
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(position: Mapping[str, int]) -> int:
        number = position["line"]
        if number >= len(lines):
            return len(text)
        codec, unit_bytes = _CODECS[encoding]
        coded = lines[number].rstrip("\r\n").encode(codec)
        return starts[number] + len(coded[: position["character"] * unit_bytes].decode(codec))

    spans = [(offset(e["range"]["start"]), offset(e["range"]["end"]), e["newText"]) for e in edits]
    spans.sort(key=lambda span: span[:2])
    # From the end, so that offsets stay good; of inserts at one place the first comes first.
    for start, end, new_text in reversed(spans):
        text = text[:start] + new_text + text[end:]
    return text


def _place_of(uri: str, folder: Path) -> Path:
    place = Path(unquote(urlsplit(uri).path)).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise EditRefused(f"{place} isn't in the workspace.")
    return place
