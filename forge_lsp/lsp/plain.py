"""What a sandbox says, made fit for an editor to show."""

import re

_NOT_SHOWN = re.compile(
    # Control characters, but for the tab and the ends of lines.
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    # These turn text around, so that it reads as something else than it is.
    r"|[\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def plain(text: str, max_characters: int) -> str:
    """The text without what only speaks to terminals, cut where it is longer than allowed.

    Lone surrogates, which no protocol can carry, are marked.
    """
    shown = _NOT_SHOWN.sub("", text[: 2 * max_characters].encode(errors="replace").decode())
    if len(shown) > max_characters:
        return f"{shown[: max_characters - 1]}…"
    return f"{shown}…" if len(text) > 2 * max_characters else shown
