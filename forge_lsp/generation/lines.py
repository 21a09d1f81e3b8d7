"""Lines of text as this project counts them: LF ends a line, and nothing else does."""

import io


def lines_of(text: str) -> list[str]:
    """`text` cut after each LF; joined, the lines are `text` again."""
    return io.StringIO(text, newline="\n").readlines()
