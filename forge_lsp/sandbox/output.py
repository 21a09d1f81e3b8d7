"""What a confined program writes, of which nobody knows how much it will be."""

import asyncio
import re
from collections import deque

MAX_LINES = 60
MAX_LINE_CHARACTERS = 2_000
PIECE_BYTES = 1 << 16
FLOOD_BYTES = 1 << 18
FLOOD_PAUSE_S = 0.05
"""After each `FLOOD_BYTES` the program waits this long, so that its chatter can't busy us."""

_TERMINAL_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Tail:
    """The last lines of a program's output, without colours."""

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self._lines: deque[bytes] = deque(maxlen=max_lines)
        self._open = b""

    @property
    def text(self) -> str:
        """The lines, oldest first."""
        return "\n".join(map(_shown, (*self._lines, self._open))).strip()

    async def read(self, output: asyncio.StreamReader) -> None:
        """Take in all that comes, until the program has closed its output."""
        taken = 0
        while piece := await output.read(PIECE_BYTES):
            *whole, rest = (self._open + piece).split(b"\n")
            self._lines.extend(line[:MAX_LINE_CHARACTERS] for line in whole)
            self._open = rest[-MAX_LINE_CHARACTERS:]
            taken += len(piece)
            if taken >= FLOOD_BYTES:
                taken = 0
                await asyncio.sleep(FLOOD_PAUSE_S)


def _shown(line: bytes) -> str:
    return _TERMINAL_CONTROL.sub("", line.decode(errors="replace"))
