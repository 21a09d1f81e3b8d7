"""Cancelling: the request ends at once, whatever it is doing."""

import asyncio
from contextlib import aclosing

import pytest
from claude_asking import claude_at, events_of, request, text_of
from claude_server import OPENING, Script, falls_silent, refuses, replies, serving

from forge_lsp.claude import wire
from forge_lsp.ports.model import Retrying, TextPiece

TALKING = falls_silent(*OPENING, wire.text_delta("Half"))


async def test_closing_the_iterator_closes_the_connection():
    async with serving(TALKING, replies("Again")) as server, claude_at(server.url) as model:
        async with aclosing(model.stream(request())) as events:
            assert await anext(events) == TextPiece("Half")
        await asyncio.wait_for(server.connections[0].client_has_gone.wait(), 1)
        assert text_of(await events_of(model)) == "Again"


@pytest.mark.parametrize("stalling", [TALKING, falls_silent(*OPENING), falls_silent()])
async def test_cancelling_the_task_closes_the_connection(stalling: Script):
    async with serving(stalling, replies("Again")) as server, claude_at(server.url) as model:
        reading = asyncio.create_task(events_of(model))
        await asyncio.wait_for(server.was_asked.wait(), 5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, 1)
        await asyncio.wait_for(server.connections[0].client_has_gone.wait(), 1)
        assert text_of(await events_of(model)) == "Again"


async def test_a_wait_between_attempts_can_be_cancelled():
    failing = refuses(429, "rate_limit_error", "Later", retry_after="600")
    async with (
        serving(failing) as server,
        claude_at(server.url, max_retry_delay_s=600) as model,
    ):
        waiting = asyncio.Event()

        async def read() -> None:
            async for event in model.stream(request()):
                if isinstance(event, Retrying):
                    waiting.set()

        reading = asyncio.create_task(read())
        await asyncio.wait_for(waiting.wait(), 5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, 1)
