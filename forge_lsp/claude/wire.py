"""The wire of the Messages API as a server writes it: JSON bodies and server-sent events.

The demo model speaks it in-process, and the tests' servers over loopback.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STREAM_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token counts of one reply, as its events carry them."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


NO_TOKENS = Tokens()


def frame(event: str, fields: Mapping[str, Any]) -> bytes:
    """One server-sent event; its data repeats the event's name as `type`."""
    data = json.dumps({"type": event, **fields}, separators=(",", ":"))
    return f"event: {event}\ndata: {data}\n\n".encode()


def message_start(model: str, tokens: Tokens = NO_TOKENS, message_id: str = "msg_0") -> bytes:
    """Opens a reply; `tokens` are those of the input."""
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(tokens),
    }
    return frame("message_start", {"message": message})


def block_start(index: int = 0, block: Mapping[str, Any] | None = None) -> bytes:
    """Opens a content block: an empty text where no other is given."""
    content = block or {"type": "text", "text": ""}
    return frame("content_block_start", {"index": index, "content_block": content})


def block_delta(delta: Mapping[str, Any], index: int = 0) -> bytes:
    """Some more of a content block."""
    return frame("content_block_delta", {"index": index, "delta": delta})


def text_delta(text: str, index: int = 0) -> bytes:
    """Some more of a text block."""
    return block_delta({"type": "text_delta", "text": text}, index)


def block_stop(index: int = 0) -> bytes:
    """Closes a content block."""
    return frame("content_block_stop", {"index": index})


def message_delta(
    stop_reason: str | None,
    tokens: Tokens = NO_TOKENS,
    stop_details: Mapping[str, Any] | None = None,
) -> bytes:
    """Says why the reply ends; `tokens` are those of the whole reply so far."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None, "stop_details": stop_details}
    return frame("message_delta", {"delta": delta, "usage": _usage(tokens)})


def message_stop() -> bytes:
    """Closes a reply."""
    return frame("message_stop", {})


def ping() -> bytes:
    """Keeps a silent connection open."""
    return frame("ping", {})


def error(kind: str, message: str, request_id: str = "req_0") -> bytes:
    """Ends a stream that can't go on; `kind` is the API's word, such as `overloaded_error`."""
    fields = {"error": {"type": kind, "message": message}, "request_id": request_id}
    return frame("error", fields)


def text_reply(
    pieces: Sequence[str],
    *,
    model: str,
    tokens: Tokens = NO_TOKENS,
    stop_reason: str = "end_turn",
) -> Iterator[bytes]:
    """A whole reply of one text block, frame by frame."""
    yield message_start(model, tokens)
    yield block_start()
    for piece in pieces:
        yield text_delta(piece)
    yield block_stop()
    yield message_delta(stop_reason, tokens)
    yield message_stop()


@dataclass(frozen=True, slots=True)
class HttpError:
    """An answer that refuses a request before any stream begins."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def http_error(status: int, kind: str, message: str, request_id: str = "req_0") -> HttpError:
    """The API's error body with its headers."""
    fields = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
    headers = {"content-type": "application/json", "request-id": request_id}
    return HttpError(status, headers, json.dumps(fields).encode())


def _usage(tokens: Tokens) -> dict[str, int]:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write,
    }
