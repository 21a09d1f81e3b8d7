"""Answers requests of the Messages API inside the process, at a model's pace."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator

import httpx2

from forge_lsp.claude import wire
from forge_lsp.claude.demo.answer import answer
from forge_lsp.claude.demo.asked import Asked, parse
from forge_lsp.claude.demo.building import plan
from forge_lsp.claude.demo.selection import selection
from forge_lsp.claude.demo.summarising import summary

BYTES_A_TOKEN = 4
"""Roughly; only for the counts that a reply reports."""


class DemoTransport(httpx2.AsyncBaseTransport):
    """The same request gets the same reply in the same pieces, whenever it is sent."""

    def __init__(self, *, pace_s: float) -> None:
        """`pace_s` is how long it waits before a piece, about; 0 for no wait at all."""
        self._pace_s = pace_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer `messages.create(stream=True)`, the one thing that ClaudeModel asks."""
        body = await request.aread()
        asked = parse(body)
        text = _reply(asked)
        chance = random.Random(hashlib.sha256(body).digest())  # noqa: S311 - Not for secrets.
        tokens = wire.Tokens(len(body) // BYTES_A_TOKEN, len(text) // BYTES_A_TOKEN)
        frames = wire.text_reply(
            uneven(text, chance), model=json.loads(body)["model"], tokens=tokens
        )
        stream = _Paced(_paced(list(frames), self._pace_s, chance))
        return httpx2.Response(200, headers=wire.STREAM_HEADERS, stream=stream)


def _reply(asked: Asked) -> str:
    if asked.summarising is not None:
        return summary(asked.summarising)
    if asked.is_selecting:
        return selection(asked)
    return plan(asked) if asked.is_planning else answer(asked)


def uneven(text: str, chance: random.Random) -> list[str]:
    """`text` in pieces of the sizes that models send: mostly a word or two, at times a burst."""
    pieces: list[str] = []
    start = 0
    while start < len(text):
        longest = 60 if chance.random() < 0.1 else 14
        end = start + chance.randint(1, longest)
        pieces.append(text[start:end])
        start = end
    return pieces


async def _paced(
    frames: list[bytes], pace_s: float, chance: random.Random
) -> AsyncGenerator[bytes]:
    for frame in frames:
        await asyncio.sleep(pace_s * chance.uniform(0.2, 1.8))
        yield frame


class _Paced(httpx2.AsyncByteStream):
    """A reply's frames; closing it closes the generator, as a connection would be closed."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        self._frames = frames

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._frames

    async def aclose(self) -> None:
        await self._frames.aclose()
