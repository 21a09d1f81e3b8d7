"""Claude, or any other server of the Messages API, as the port `Model`."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from anthropic import AsyncAnthropic
from anthropic.types import RawMessageStopEvent

from forge_lsp.claude.failures import EXPLAINED, EndedEarly, Failure, explain
from forge_lsp.claude.params import message_params, model_for
from forge_lsp.claude.reply import Reply
from forge_lsp.ports.model import ModelEvent, ModelInfo, ModelRequest, Retrying, TextPiece
from forge_lsp.settings import ModelSettings

FIRST_RETRY_DELAY_S = 1.0
"""Doubled with each further attempt, up to `max_retry_delay_s`."""

_STOP = RawMessageStopEvent(type="message_stop")


class ClaudeModel:
    """The Messages API behind an `AsyncAnthropic` that makes no attempts of its own.

    The SDK's retries are silent and obey any `retry-after`; ours are seen and bounded.
    """

    def __init__(self, client: AsyncAnthropic, settings: ModelSettings, info: ModelInfo) -> None:
        self._client = client
        # The SDK imports this part of itself when it is first asked for: here, in a thread,
        # and not in the middle of the first request.
        self._messages = client.messages
        self._settings = settings
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """Which model answers."""
        return self._info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """See the port `Model`; `Retrying.attempt` counts from 1 and is the one to come."""
        model = model_for(request, self._settings)
        attempts = self._settings.attempts
        for attempt in range(1, attempts + 1):
            reply = Reply(model, self._settings.prices)
            try:
                async with aclosing(self._read(request, reply)) as pieces:
                    async for piece in pieces:
                        yield TextPiece(piece)
                failure = None
            except EXPLAINED as error:
                failure = explain(error, model, self._settings)
            if failure is None or reply.has_ended:
                yield reply.done()
                return
            if reply.has_text:
                yield reply.cut_off(failure.error.message)
                return
            if not failure.may_pass or attempt == attempts:
                raise failure.error
            delay_s = _delay_s(failure, attempt, self._settings)
            yield Retrying(attempt + 1, attempts, delay_s, failure.error.message)
            await asyncio.sleep(delay_s)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _read(self, request: ModelRequest, reply: Reply) -> AsyncGenerator[str]:
        """One attempt: the text as it comes, gathered in `reply`.

        The transport's own timeout watches for silence, in which pings count as sound; this one
        watches for something more than pings.
        """
        timeout_s = self._settings.ping_timeout_s
        async with asyncio.timeout(timeout_s):
            stream = await self._messages.create(**message_params(request, self._settings))
        async with stream:
            while True:
                async with asyncio.timeout(timeout_s):
                    event = await anext(stream, _STOP)
                if isinstance(event, RawMessageStopEvent):
                    break
                if text := reply.take(event):
                    yield text
        if rest := reply.rest():
            yield rest
        if not reply.has_ended:
            raise EndedEarly


def _delay_s(failure: Failure, attempt: int, settings: ModelSettings) -> float:
    """As long as the server asks for, else doubling; spread out, so that not all come at once."""
    limit_s = settings.max_retry_delay_s
    if failure.retry_after_s is not None:
        return min(failure.retry_after_s, limit_s)
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - It spreads load and guards nothing.
    return min(FIRST_RETRY_DELAY_S * 2 ** (attempt - 1), limit_s) * spread
