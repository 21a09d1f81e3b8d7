"""Where the lines that a change was made for are now, in a text that somebody types into."""

from collections.abc import Sequence
from dataclasses import dataclass

from forge_lsp.changes.hunks import Hunk
from forge_lsp.changes.lines import Block, common_head, common_tail, matching_blocks


@dataclass(frozen=True, slots=True)
class Placement:
    """A text's lines then and now, and which of them are the same. Lines are 0-based."""

    before: Sequence[str]
    now: Sequence[str]
    blocks: Sequence[Block]

    @classmethod
    def of(cls, lines: Sequence[str]) -> "Placement":
        """A text in which nothing was typed yet."""
        return cls(lines, lines, [Block(0, 0, len(lines))] if lines else [])

    def typed(self, lines: Sequence[str]) -> "Placement":
        """The same after the text became `lines`: only what lies between the first and the last
        of the lines that changed is compared anew, so that a keystroke in a long text is cheap."""
        head = common_head(self.now, lines)
        most = min(len(self.now), len(lines)) - head
        tail = common_tail(self.now, lines, most)
        moved = len(lines) - len(self.now)
        above = _within(self.blocks, 0, head)
        below = _within(self.blocks, len(self.now) - tail, len(self.now))
        below = [Block(each.before, each.after + moved, each.size) for each in below]
        top, left = _end(above[-1]) if above else (0, 0)
        bottom, right = below[0][:2] if below else (len(self.before), len(lines))
        between = matching_blocks(self.before[top:bottom], lines[left:right])
        found = [Block(top + each.before, left + each.after, each.size) for each in between]
        return Placement(self.before, lines, [*above, *found, *below])

    def rows(self, hunk: Hunk) -> tuple[int, int]:
        """The first and the last line now of what a hunk stands for; of one that only adds lines
        the one below it. Where its own lines were rewritten: the nearest that there are."""
        if not hunk.before_count:
            row = self._below(hunk.before_start)
            return row, row
        first = self._row(hunk.before_start)[0]
        return first, max(first, self._row(hunk.before_start + hunk.before_count - 1)[0])

    def _below(self, line: int) -> int:
        row, is_there = self._row(line)
        if is_there or not line:
            return row
        above, is_there = self._row(line - 1)
        return min(above + 1, len(self.now) - 1) if is_there else row

    def _row(self, line: int) -> tuple[int, bool]:
        """The line now of one then, and whether it is the same line."""
        last = max(len(self.now) - 1, 0)
        # What lies between two blocks differs; `left` is where the last block before it ended.
        top = left = 0
        for block in self.blocks:
            if line < block.before:
                return min(left + line - top, max(block.after - 1, left), last), False
            if line < block.before + block.size:
                return block.after + line - block.before, True
            top, left = _end(block)
        return min(left + line - top, last), False


def _end(block: Block) -> tuple[int, int]:
    return block.before + block.size, block.after + block.size


def _within(blocks: Sequence[Block], start: int, end: int) -> list[Block]:
    """The parts of the blocks that lie in the lines from `start` to `end`, as they are now."""
    parts: list[Block] = []
    for block in blocks:
        skipped = max(start - block.after, 0)
        size = min(end - block.after, block.size) - skipped
        if size > 0:
            parts.append(Block(block.before + skipped, block.after + skipped, size))
    return parts
