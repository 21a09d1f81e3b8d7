"""Reads replies in pieces, for the tests of the parser."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from forge_lsp.generation.parser import ReplyParser
from forge_lsp.generation.reply import BodyPiece, Prose, ReplyEvent


def read(*pieces: str) -> list[ReplyEvent]:
    """All events of a reply that comes in `pieces`, with adjacent pieces of text joined."""
    parser = ReplyParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return joined([*events, *parser.finish()])


def files(*pieces: str) -> list[ReplyEvent]:
    """The events that say something of files: all but prose and live text."""
    return [event for event in read(*pieces) if not isinstance(event, Prose | BodyPiece)]


def joined(events: Iterable[ReplyEvent]) -> list[ReplyEvent]:
    result: list[ReplyEvent] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, Prose) and isinstance(last, Prose):
            result[-1] = Prose(last.text + event.text)
        elif (
            isinstance(event, BodyPiece) and isinstance(last, BodyPiece) and last.path == event.path
        ):
            result[-1] = replace(last, text=last.text + event.text)
        else:
            result.append(event)
    return result


def cut(text: str, places: Sequence[int]) -> list[str]:
    """`text` in pieces, cut at `places`."""
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]
