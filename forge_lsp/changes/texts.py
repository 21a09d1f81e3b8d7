"""Between the bytes of a file and the text that a model reads and writes.

A model is shown plain text with LF; what it writes goes back in the file's own manner, so that a
change of one line is a change of one line.
"""

import codecs


def as_text(content: bytes) -> str | None:
    """The text of a UTF-8 file, without its byte order mark and with LF; None for any other."""
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text.replace("\r\n", "\n")


def as_bytes(text: str, before: bytes | None) -> bytes:
    """`text` as it is to be written in place of `before`, whose mark and line ends it takes."""
    plain = text.replace("\r\n", "\n").encode("utf-8")
    if not before:
        return plain
    if before.count(b"\r\n") * 2 > before.count(b"\n"):
        plain = plain.replace(b"\n", b"\r\n")
    return codecs.BOM_UTF8 + plain if before.startswith(codecs.BOM_UTF8) else plain
