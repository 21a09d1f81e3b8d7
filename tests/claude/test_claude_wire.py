"""The wire: each frame as the Messages API writes it."""

import json

import pytest

from forge_lsp.claude import wire


def data_of(frame: bytes) -> dict[str, object]:
    """The data of a frame, which must be one event whose data repeats its name."""
    text = frame.decode("ascii")
    assert text.endswith("\n\n")
    event, data = text.strip().split("\n")
    fields = json.loads(data.removeprefix("data: "))
    assert fields.pop("type") == event.removeprefix("event: ")
    return fields


def test_a_reply_opens_and_closes_all_that_it_begins():
    frames = list(wire.text_reply(["a", "b"], model="m", tokens=wire.Tokens(3, 4, 5, 6)))
    names = [frame.split(b"\n")[0].removeprefix(b"event: ").decode() for frame in frames]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert data_of(frames[2])["delta"] == {"type": "text_delta", "text": "a"}
    assert data_of(frames[5])["usage"] == {
        "input_tokens": 3,
        "output_tokens": 4,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 6,
    }


@pytest.mark.parametrize("text", ["\n\n", "\r", "\u2028", "data: x", "\ud800", "\x00"])
def test_no_text_breaks_a_frame(text: str):
    delta = data_of(wire.text_delta(text))["delta"]
    assert delta == {"type": "text_delta", "text": text}


def test_an_error_is_the_same_in_a_stream_and_before_it():
    refused = wire.http_error(529, "overloaded_error", "Overloaded", "req_7")
    told = data_of(wire.error("overloaded_error", "Overloaded", "req_7"))
    assert json.loads(refused.body) == {"type": "error", **told}
    assert refused.headers["request-id"] == "req_7"
