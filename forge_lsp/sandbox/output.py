"""What a confined program writes, of which nobody knows how much it will be."""

import asyncio
import codecs
import re
from collections import deque
from collections.abc import AsyncGenerator

MAX_LINES = 60
MAX_LINE_CHARACTERS = 2_000
PIECE_BYTES = 1 << 16
FLOOD_BYTES = 1 << 18
FLOOD_PAUSE_S = 0.05
"""After each `FLOOD_BYTES` the program waits this long, so that its chatter can't busy us."""

_TERMINAL_CONTROL = re.compile(
    # Sequences that set something, those that carry a text such as a title, and single signs.
    r"\x1b\[[0-?]*[ -/]*[@-~]?"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*+(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    # These turn text around, so that it reads as something else than it is.
    r"|[\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


MAX_SEQUENCE_CHARACTERS = 256
"""Of a control sequence that hasn't ended; what goes on for longer is none."""
_OPEN_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)?\Z")


class Lines:
    """Cuts what comes in pieces into lines, none of them longer than `MAX_LINE_CHARACTERS`."""

    def __init__(self) -> None:
        self.open = b""
        """The last line, while it hasn't ended."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that have ended with this piece."""
        *whole, rest = (self.open + piece).split(b"\n")
        self.open = rest[-MAX_LINE_CHARACTERS:]
        return [line[:MAX_LINE_CHARACTERS] for line in whole]


class Tail:
    """The last lines of a program's output, without colours."""

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self._kept: deque[bytes] = deque(maxlen=max_lines)
        self._lines = Lines()

    @property
    def text(self) -> str:
        """The lines, oldest first."""
        return "\n".join(map(shown, (*self._kept, self._lines.open))).strip()

    async def read(self, output: asyncio.StreamReader) -> None:
        """Take in all that comes, until the program has closed its output."""
        async for piece in pieces_of(output):
            self._kept.extend(self._lines.feed(piece))


class Screen:
    """Text out of bytes that come in any pieces, without what only a terminal understands."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._held = ""
        """The beginning of what may be a sequence, or the first half of a line's end."""

    def feed(self, piece: bytes) -> str:
        """As much more text as is sure by now."""
        text = self._held + self._decode(piece)
        begin = _begin_of_unsure(text)
        self._held = text[begin:]
        return _with_plain_line_ends(text[:begin])

    def end(self) -> str:
        """What is left."""
        text, self._held = self._held + self._decode(b"", True), ""  # noqa: FBT003 - Not ours.
        return _with_plain_line_ends(text)


def _begin_of_unsure(text: str) -> int:
    if text.endswith("\r"):
        return len(text) - 1
    open_sequence = _OPEN_SEQUENCE.search(text, max(len(text) - MAX_SEQUENCE_CHARACTERS, 0))
    return open_sequence.start() if open_sequence else len(text)


def _with_plain_line_ends(text: str) -> str:
    """A program that goes back to write a line anew has written another line."""
    return without_controls(re.sub(r"\r+\n|\r", "\n", text))


async def pieces_of(output: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """All that comes, until the program has closed its output; one that floods it must wait."""
    taken = 0
    while piece := await output.read(PIECE_BYTES):
        yield piece
        taken += len(piece)
        if taken >= FLOOD_BYTES:
            taken = 0
            await asyncio.sleep(FLOOD_PAUSE_S)


def shown(line: bytes) -> str:
    """As text that speaks to no terminal, and that can be written anywhere."""
    return without_controls(line.decode(errors="replace"))


def without_controls(text: str) -> str:
    """The text without control sequences; line ends and tabs stay. Lone surrogates are marked."""
    return _TERMINAL_CONTROL.sub("", text.encode(errors="replace").decode())
