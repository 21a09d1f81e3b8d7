"""What a piece of Python gave: text and pictures, none of which may be without end."""

import base64
import binascii

from e2b_code_interpreter import (  # pyright: ignore[reportMissingTypeStubs]
    ExecutionError,
    OutputMessage,
    Result,
)

from forge_lsp.ports.sandbox import PythonOutput
from forge_lsp.sandbox.e2b.commands import Recent
from forge_lsp.sandbox.output import without_controls

MAX_TEXT_CHARACTERS = 200_000
"""Of each output the last ones are kept."""
MAX_RESULTS = 100
MAX_RESULT_CHARACTERS = 20_000
MAX_CHARTS = 20
MAX_CHART_BYTES = 8 * 1024 * 1024
MAX_TAKEN_CHARACTERS = 64 * 1024 * 1024
"""Code that gives more than this is ended."""

_PNG = b"\x89PNG\r\n\x1a\n"


class TooMuch(Exception):
    """The code gives more than anybody could look at."""


class Printed:
    """Takes in what comes, and keeps what is bounded."""

    def __init__(self) -> None:
        self._stdout = Recent(MAX_TEXT_CHARACTERS)
        self._stderr = Recent(MAX_TEXT_CHARACTERS)
        self._results: list[str] = []
        self._charts: list[bytes] = []
        self._error = ""
        self._traceback = ""
        self._left_out: dict[str, None] = {}
        self._taken = 0

    @property
    def output(self) -> PythonOutput:
        """All of it so far."""
        return PythonOutput(
            without_controls(self._stdout.text),
            without_controls(self._stderr.text),
            tuple(self._results),
            tuple(self._charts),
            self._error,
            self._traceback,
            tuple(self._left_out),
        )

    def hear_stdout(self, message: OutputMessage) -> None:
        """Some more of its stdout; raises `TooMuch`."""
        self._hear(self._stdout, message.line)

    def hear_stderr(self, message: OutputMessage) -> None:
        """Some more of its stderr; raises `TooMuch`."""
        self._hear(self._stderr, message.line)

    def hear_result(self, result: Result) -> None:
        """A value or something displayed, in all the forms that it has; raises `TooMuch`."""
        text, png = _text(result.text), _text(result.png)
        self._take(len(text) + len(png))
        if text and len(self._results) < MAX_RESULTS:
            self._results.append(without_controls(text[:MAX_RESULT_CHARACTERS]))
        if len(text) > MAX_RESULT_CHARACTERS or (text and len(self._results) == MAX_RESULTS):
            self._leave_out("Not all results are shown whole.")
        if png:
            self._add_chart(png)

    def hear_error(self, error: ExecutionError) -> None:
        """What it raised."""
        told = f"{_text(error.name)}: {_text(error.value)}"
        self._error = without_controls(told[:MAX_RESULT_CHARACTERS])
        self._traceback = without_controls(_text(error.traceback)[-MAX_TEXT_CHARACTERS:])

    def _hear(self, kept: Recent, text: object) -> None:
        piece = _text(text)
        self._take(len(piece))
        kept.add(piece)
        if self._taken > MAX_TEXT_CHARACTERS:
            self._leave_out(f"Only the last {MAX_TEXT_CHARACTERS} characters printed are shown.")

    def _take(self, characters: int) -> None:
        self._taken += characters
        if self._taken > MAX_TAKEN_CHARACTERS:
            raise TooMuch

    def _add_chart(self, png: str) -> None:
        try:
            picture = base64.b64decode(png.replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            picture = b""
        if not picture.startswith(_PNG):
            self._leave_out("A picture is left out that is no PNG.")
        elif len(picture) > MAX_CHART_BYTES or len(self._charts) == MAX_CHARTS:
            self._leave_out("A picture is left out: it is too large, or one too many.")
        else:
            self._charts.append(picture)

    def _leave_out(self, why: str) -> None:
        self._left_out[why] = None


def _text(value: object) -> str:
    """The sandbox's code says what it likes, also what is no text."""
    return value if isinstance(value, str) else ""
