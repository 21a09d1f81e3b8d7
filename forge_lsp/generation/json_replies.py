"""JSON in the replies of models, which may stand among other text."""

import json
from collections.abc import Iterator
from typing import cast

_MAX_CHARACTERS = 400_000
_MAX_ATTEMPTS = 20


def objects_in(reply: str) -> Iterator[dict[str, object]]:
    """The JSON objects that begin at one of the first braces of `reply`."""
    reply = reply[:_MAX_CHARACTERS]
    decoder = json.JSONDecoder()
    place = -1
    for _ in range(_MAX_ATTEMPTS):
        place = reply.find("{", place + 1)
        if place < 0:
            return
        try:
            found: object = decoder.raw_decode(reply, place)[0]
        except (ValueError, RecursionError):
            # Not JSON, or nested so deeply that it is an attack on the decoder.
            continue
        yield cast("dict[str, object]", found)


def text_in(value: object, most_characters: int) -> str:
    """The text, on one line and in characters that can be stored; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return " ".join(value.encode(errors="replace").decode().split())[:most_characters]


def list_in(value: object, most: int) -> list[object]:
    """The first `most` items; empty for anything but a list."""
    return cast("list[object]", value)[:most] if isinstance(value, list) else []
