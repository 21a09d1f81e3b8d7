"""Where a place in a sandbox's file is in the workspace's, which may be another text.

The sandbox holds what waits for review, the editor what isn't saved yet: lines that both have are
found again wherever they stand, and for others the nearest line that exists is taken as a whole,
since columns mean nothing in it.
"""

from collections.abc import Sequence

from lsprotocol import types
from pygls.workspace import PositionCodec

from forge_lsp.changes.lines import Block, matching_blocks
from forge_lsp.lsp.documents import lines_of_document
from forge_lsp.ports.sandbox import SandboxDiagnostic


class Places:
    """The ranges of one file."""

    def __init__(self, here: str, there: str | None, codec: PositionCodec) -> None:
        """`here` is the editor's text, `there` the sandbox's: the same where it isn't known."""
        self._codec = codec
        self._lines = _lines(here)
        same = [Block(0, 0, len(self._lines))]
        self._blocks = same
        if there is not None and there != here:
            self._blocks = matching_blocks(_encoded(_lines(there)), _encoded(self._lines))

    def range_of(self, found: SandboxDiagnostic) -> types.Range:
        """Always within the text, in the client's units, and never backwards."""
        row, is_same = self._row(found.line)
        if not is_same:
            return self._whole(row)
        start = self._position(row, found.column)
        if found.end_line is None or found.end_column is None:
            return types.Range(start, start)
        end_row, is_same = self._row(found.end_line)
        end = self._position(end_row, found.end_column) if is_same else self._whole(row).end
        return types.Range(start, max(start, end))

    def _row(self, line: int) -> tuple[int, bool]:
        """The 0-based line here of a 1-based one there, and whether it is the same line."""
        wanted = max(line - 1, 0)
        last = len(self._lines) - 1
        # What lies between two blocks differs; `after` is where the last block before it ended.
        before = after = 0
        for block in self._blocks:
            if wanted < block.before:
                nearest = min(after + wanted - before, max(block.after - 1, after))
                return min(nearest, last), False
            if wanted < block.before + block.size:
                return block.after + wanted - block.before, True
            before, after = block.before + block.size, block.after + block.size
        return min(after + wanted - before, last), False

    def _whole(self, row: int) -> types.Range:
        line = self._lines[row]
        indent = len(line) - len(line.lstrip())
        return types.Range(
            types.Position(row, self._codec.client_num_units(line[:indent])),
            types.Position(row, self._codec.client_num_units(line)),
        )

    def _position(self, row: int, column: int) -> types.Position:
        """`column` is 1-based, in UTF-16 units."""
        units = min(max(column - 1, 0), 2 * len(self._lines[row]))
        before = self._lines[row].encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")
        return types.Position(row, self._codec.client_num_units(before))


def _lines(text: str) -> Sequence[str]:
    """Without their ends; at least one. Lone surrogates are marked, which keeps their width."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = [line.rstrip("\r\n") for line in lines_of_document(whole)]
    return lines if lines and not whole.endswith(("\r", "\n")) else [*lines, ""]


def _encoded(lines: Sequence[str]) -> Sequence[bytes]:
    return [line.encode() for line in lines]
