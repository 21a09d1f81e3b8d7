"""Lines and columns in a text: counted from 1, columns in UTF-16 code units."""

import re
from collections.abc import Sequence

_LINE_END = re.compile(r"\r\n|[\n\r\u2028\u2029]")
"""ECMAScript's line terminators, which compilers count."""
_TOKEN = re.compile(
    r"""
    [\w$@]+ | "(?>(?:[^"\\]|\\.)*)"? | '(?>(?:[^'\\]|\\.)*)'? | `(?>(?:[^`\\]|\\.)*)`? | .
    """,
    re.VERBOSE,
)


def lines_of(text: str) -> Sequence[str]:
    """The lines without their ends."""
    return _LINE_END.split(text)


def utf16_length(text: str) -> int:
    """How many UTF-16 code units the text takes."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def token_end(line: str, column: int) -> int | None:
    """The column behind the word, the string or the sign that begins at `column`.

    None where the line ends before it.
    """
    before = line.encode("utf-16-le", "surrogatepass")[: (column - 1) * 2]
    if len(before) < (column - 1) * 2:
        return None
    offset = len(before.decode("utf-16-le", "replace"))
    token = _TOKEN.match(line, offset)
    return column + utf16_length(token[0]) if token else None
