"""Where the hunks that wait for review are in open documents, as somebody types into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forge_lsp.changes.placement import Placement
from forge_lsp.lsp.edits import text_of

if TYPE_CHECKING:
    from forge_lsp.changes.hunks import Hunk
    from forge_lsp.changes.sets import FileChange

Rows = Sequence[tuple[int, int]]
"""The first and the last line of each hunk, 0-based, in their order."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The hunks of one change in a document."""

    change: "FileChange"
    hunks: "Sequence[Hunk]"
    ids: Sequence[str]
    text: str | None
    placement: Placement
    rows: Rows


class Placements:
    """Kept from one version of a document to the next: only what was typed is looked at anew."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Placed]] = {}
        """By URI, and by change set."""

    def look(
        self, uri: str, text: str | None, changes: "Mapping[str, FileChange]"
    ) -> Sequence[Placed]:
        """Where the hunks are of each of the changes, which stand by their sets' ids.

        `text` is what the document holds; None where it isn't open.
        """
        known = self._known.get(uri, {})
        placed = {
            change_set_id: _placed(known.get(change_set_id), change, text)
            for change_set_id, change in changes.items()
        }
        if placed:
            self._known[uri] = placed
        else:
            self._known.pop(uri, None)
        return list(placed.values())


def rows_now(change: "FileChange", text: str | None) -> Rows:
    """Where the hunks of one change are in a document; in its text before where it isn't open."""
    return _placed(None, change, text).rows


def _placed(known: Placed | None, change: "FileChange", text: str | None) -> Placed:
    if known is not None and known.change is change:
        if text == known.text:
            return known
        hunks, ids, placement = known.hunks, known.ids, known.placement
    else:
        hunks, ids = change.hunks, change.hunk_ids
        placement = Placement.of(_lines(text_of(change.before or b"") or ""))
    placement = placement.typed(placement.before if text is None else _lines(text))
    rows = [placement.rows(hunk) for hunk in hunks]
    return Placed(change, hunks, ids, text, placement, _as_in_lsp(rows, placement.now))


def _lines(text: str) -> Sequence[str]:
    """Without their ends, which editors keep in their own way."""
    return (text.replace("\r\n", "\n") if "\r" in text else text).split("\n")


def _as_in_lsp(rows: Rows, lines: Sequence[str]) -> Rows:
    """Our lines end at LF; LSP's end at a lone CR, too."""
    if not any("\r" in line for line in lines):
        return rows
    above = [0]
    for line in lines:
        above.append(above[-1] + line.count("\r"))
    return [(first + above[first], last + above[last + 1]) for first, last in rows]
