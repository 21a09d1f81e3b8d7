"""Puts a tag into an HTML document while it passes by."""

import re

MAX_HELD_BYTES = 16 * 1024
"""A document that hasn't begun its content by then gets the tag where it stands."""

# Atomic groups and not `*+` around them: Python before 3.11.5 matches that wrongly (gh-106052).
_ATTRIBUTES = rb"(?>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)"
_PRELUDE = re.compile(
    rb"\A(?:\xef\xbb\xbf)?"
    rb"(?>(?:\s+|<!--.*?-->|<!doctype\b"
    + _ATTRIBUTES
    + rb">|<html(?=[\s>])"
    + _ATTRIBUTES
    + rb">)*)"
    rb"(?P<head><head(?=[\s>])" + _ATTRIBUTES + rb">)?",
    re.IGNORECASE | re.DOTALL,
)
"""What may stand before the first element of a document's head, and is no element."""
_UNSURE = re.compile(
    rb"<[!a-z-]*|<!--.*|<(?:!doctype|html|head)\b"
    + _ATTRIBUTES
    + rb"(?:\"[^\"]*|'[^']*)?|\xef\xbb?",
    re.IGNORECASE | re.DOTALL,
)
"""The beginning of what may turn out to be one more of those."""


class Injection:
    """One document; it is held only until its head has begun."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._held = b""
        self._is_done = False

    def feed(self, piece: bytes) -> bytes:
        """What of the document can go on."""
        if self._is_done:
            return piece
        self._held += piece
        if len(self._held) < MAX_HELD_BYTES and not _has_begun(self._held):
            return b""
        return self.end()

    def end(self) -> bytes:
        """What is still held."""
        if self._is_done:
            return b""
        self._is_done = True
        match = _PRELUDE.match(self._held)
        at = match.end() if match else 0
        return self._held[:at] + self._tag + self._held[at:]


def _has_begun(held: bytes) -> bool:
    """Whether nothing that is still to come can belong before the tag."""
    match = _PRELUDE.match(held)
    if match is None:
        return True
    rest = held[match.end() :]
    return match["head"] is not None or (bool(rest) and not _UNSURE.fullmatch(rest))
