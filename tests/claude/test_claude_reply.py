"""Replies: text, stop reasons, token counts, and characters that aren't whole."""

import asyncio
import json

import pytest
from claude_asking import claude_at, end_of, events_of, text_of
from claude_server import OPENING, Connection, breaks_off, replies, serving, streams

from forge_lsp.claude import wire
from forge_lsp.ports.model import TextPiece
from forge_lsp.settings import Price


async def test_text_comes_piece_by_piece_and_ends_with_done():
    async with serving(replies("Hel", "lo ", "you")) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert events[:3] == [TextPiece("Hel"), TextPiece("lo "), TextPiece("you")]
    assert end_of(events).stop == "end"
    assert end_of(events).model == "claude-opus-5-5"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("tool_use", "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "context_window"),
        ("refusal", "refusal"),
        ("pause_turn", "cut"),
        ("a word of another server", "end"),
    ],
)
async def test_every_stop_reason_has_its_meaning(said: str, meant: str):
    async with (
        serving(replies("Some text", stop_reason=said)) as server,
        claude_at(server.url) as model,
    ):
        events = await events_of(model)
    assert text_of(events) == "Some text"
    assert end_of(events).stop == meant
    assert bool(end_of(events).detail) == (meant in ("refusal", "cut"))


async def test_a_refusal_passes_on_why():
    why = {"type": "refusal", "category": "cyber", "explanation": "That would harm."}
    frames = (*OPENING, wire.message_delta("refusal", stop_details=why), wire.message_stop())
    async with serving(streams(*frames)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert [end_of(events).stop, end_of(events).detail] == ["refusal", "That would harm."]


async def test_a_stream_that_ends_without_a_stop_reason_is_cut():
    frames = (*OPENING, wire.text_delta("Half a"))
    async with serving(streams(*frames)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert text_of(events) == "Half a"
    assert end_of(events).stop == "cut"
    assert end_of(events).detail


async def test_a_connection_that_drops_after_the_stop_reason_cost_nothing():
    frames = (*OPENING, wire.text_delta("All of it"), wire.message_delta("end_turn"))
    async with serving(breaks_off(*frames)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert end_of(events).stop == "end"


async def test_a_server_that_keeps_the_connection_open_after_the_end_delays_nothing():
    frames = tuple(wire.text_reply(["Done"], model="m"))

    async def lingers(connection: Connection):
        await breaks_off(*frames)(connection)
        await connection.until_client_goes()

    async with serving(lingers) as server, claude_at(server.url) as model:
        async with asyncio.timeout(3):
            events = await events_of(model)
    assert end_of(events).stop == "end"


async def test_counts_are_totals_and_the_cache_has_its_own_price():
    before = wire.Tokens(input=1000, output=1, cache_read=20_000, cache_write=4000)
    frames = (
        wire.message_start("claude-opus-5-5", before),
        wire.block_start(),
        wire.text_delta("x"),
        wire.message_delta(None, wire.Tokens(output=300)),
        wire.message_delta("end_turn", wire.Tokens(output=500)),
        wire.message_stop(),
    )
    prices = {"claude-opus-5-5": Price(input=4, output=20)}
    async with serving(streams(*frames)) as server, claude_at(server.url, prices=prices) as model:
        usage = end_of(await events_of(model)).usage
    assert (usage.input_tokens, usage.output_tokens) == (1000, 500)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (20_000, 4000)
    assert usage.cost_usd == pytest.approx((4 * (1000 + 2000 + 5000) + 20 * 500) / 1e6)


async def test_an_unknown_price_is_no_price():
    async with serving(replies("x")) as server, claude_at(server.url, prices={}) as model:
        assert end_of(await events_of(model)).usage.cost_usd is None


async def test_tokens_of_a_reply_that_broke_off_are_still_counted():
    frames = (*OPENING, wire.text_delta("x"))
    async with serving(breaks_off(*frames)) as server, claude_at(server.url) as model:
        end = end_of(await events_of(model))
    assert (end.stop, end.usage.input_tokens) == ("cut", 10)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\ud800b"], "a\ufffdb"),
        (["a\udc00"], "a\ufffd"),
        (["\U0001f600"], "\U0001f600"),
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["a", "\ud83d"], "a\ufffd"),
    ],
)
async def test_lone_surrogates_are_replaced_and_parted_pairs_joined(pieces: list[str], text: str):
    async with serving(replies(*pieces)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert text_of(events) == text
    text_of(events).encode()


ODD = [
    None,
    [],
    "x",
    5,
    {},
    {"type": "message_start", "message": 5},
    {"type": "message_delta"},
    {"type": "message_delta", "delta": {"stop_reason": 7}, "usage": {"output_tokens": "many"}},
    {"type": "message_start", "message": {"model": [], "usage": {"input_tokens": -4}}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 9}},
    {"type": "content_block_start", "content_block": None},
]


@pytest.mark.parametrize("data", ODD, ids=json.dumps)
@pytest.mark.parametrize("event", ["message_start", "message_delta", "content_block_delta"])
async def test_data_of_any_shape_is_taken(data: object, event: str):
    odd = f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()
    frames = (*OPENING, odd, wire.text_delta("said"), odd, wire.message_delta("end_turn"))
    async with serving(streams(*frames)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert text_of(events) == "said"
    end = end_of(events)
    assert (end.stop, end.model) == ("end", "claude-opus-5-5")
    assert end.usage.input_tokens == 10


async def test_pings_thinking_and_unknown_events_are_no_text():
    frames = (
        wire.message_start("m"),
        wire.ping(),
        wire.block_start(0, {"type": "thinking", "thinking": "", "signature": ""}),
        wire.block_delta({"type": "thinking_delta", "thinking": "secret"}),
        wire.block_delta({"type": "signature_delta", "signature": "s"}),
        wire.block_stop(),
        wire.frame("something_new", {"index": 1}),
        wire.frame("content_block_delta", {"index": 1}),
        wire.frame("message_delta", {}),
        wire.block_start(1),
        wire.text_delta("said", 1),
        wire.ping(),
        wire.block_stop(1),
        wire.message_delta("end_turn"),
        wire.message_stop(),
    )
    async with serving(streams(*frames)) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert text_of(events) == "said"
    assert end_of(events).stop == "end"
