"""Words for a terminal, which takes some characters for commands."""

from rich.console import Console


def printable(text: str) -> str:
    """`text` on one line, with a space for each character that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_console(*, stderr: bool = False) -> Console:
    """A console that finds neither markup nor numbers to colour in what it is given."""
    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)
