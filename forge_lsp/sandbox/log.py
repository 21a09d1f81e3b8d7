"""What a sandbox says while it runs: the dev server's lines and the page's, numbered."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

from forge_lsp.clock import now_ms
from forge_lsp.ports.sandbox import LogLine
from forge_lsp.sandbox.news import Bell
from forge_lsp.sandbox.output import MAX_LINES, Lines, pieces_of, shown

MAX_KEPT_LINES = 2_000
_Source = Literal["server", "page"]


class Log:
    """The last lines, and how many there have been."""

    def __init__(self) -> None:
        self.last = 0
        """The number of the last line; 0 while there is none."""
        self._kept: deque[tuple[int, _Source, bytes]] = deque(maxlen=MAX_KEPT_LINES)
        self._grown = Bell()

    def add(self, source: _Source, lines: Iterable[bytes]) -> None:
        """Take in lines of at most `output.MAX_LINE_CHARACTERS` each."""
        added = list(lines)
        if not added:
            return
        at_ms = now_ms()
        self._kept.extend((at_ms, source, line) for line in added[-MAX_KEPT_LINES:])
        self.last += len(added)
        self._grown.ring()

    async def read(self, output: asyncio.StreamReader) -> None:
        """Take in all that the dev server writes, until it has closed its output."""
        lines = Lines()
        async for piece in pieces_of(output):
            self.add("server", lines.feed(piece))
        if lines.open:
            self.add("server", [lines.open])

    def lines(self, after: int, limit: int) -> Sequence[LogLine]:
        """Those with a greater number that are still kept, oldest first, at most `limit`."""
        first = self.last - len(self._kept) + 1
        start = max(after + 1 - first, 0)
        chosen = itertools.islice(self._kept, start, start + max(limit, 0))
        return [
            LogLine(seq, at_ms, source, shown(line).rstrip())
            for seq, (at_ms, source, line) in enumerate(chosen, first + start)
        ]

    def tail(self, max_lines: int = MAX_LINES) -> str:
        """The dev server's last lines."""
        said = (line for _, source, line in reversed(self._kept) if source == "server")
        last = list(itertools.islice(said, max_lines))
        return "\n".join(shown(line) for line in reversed(last)).strip()

    async def grew(self, after: int) -> None:
        """Wait until there is a line with a greater number."""
        while self.last <= after:
            await self._grown.rung()
