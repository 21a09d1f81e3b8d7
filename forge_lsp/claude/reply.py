"""What has come of a reply so far: its text, its tokens, and why it ended."""

import re
from collections.abc import Mapping
from dataclasses import replace

from anthropic.types import (
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStreamEvent,
    TextBlock,
    TextDelta,
)

from forge_lsp.ports.model import ModelDone, StopReason, TokenUsage
from forge_lsp.settings import Price

CACHE_READ_FACTOR = 0.1
"""What a token read from the cache costs, by the price of an input token."""
CACHE_WRITE_FACTOR = 1.25
"""The same for a token that is kept in the cache for five minutes."""

_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "end",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "context_window",
    "refusal": "refusal",
    "pause_turn": "cut",
}
"""Other servers have words of their own; each of them means that the model has finished."""

_SURROGATES = re.compile(r"[\ud800-\udfff]")
_PAIRS = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")


class Reply:
    """Gathers the events of one reply; an event that it can't read changes nothing."""

    def __init__(self, model: str, prices: Mapping[str, Price]) -> None:
        """`model` is the id that was asked for; the server may name a more exact one."""
        self.model = model
        self.has_text = False
        self._price = prices.get(model)
        self._stop: StopReason | None = None
        self._detail = ""
        self._tokens = TokenUsage()
        self._half: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether the server said why it stops, and so has said everything."""
        return self._stop is not None

    def take(self, event: RawMessageStreamEvent) -> str:
        """Bring the reply up to date, and give the text that `event` adds to it.

        Half of a surrogate pair is kept back until the other half comes.
        """
        match event:
            case RawContentBlockDeltaEvent(delta=TextDelta(text=str(text))):
                return self._add(text)
            case RawContentBlockStartEvent(content_block=TextBlock(text=str(text))):
                return self._add(text)
            case RawMessageStartEvent(message=message):
                self.model = _text(message, "model") or self.model
                self._count(getattr(message, "usage", None))
            case RawMessageDeltaEvent(delta=delta):
                self._count(getattr(event, "usage", None))
                self._end(_text(delta, "stop_reason"), getattr(delta, "stop_details", None))
            case _:
                pass
        return ""

    def rest(self) -> str:
        """What `take` kept back, once nothing more comes."""
        half, self._half = self._half, ""
        return "\N{REPLACEMENT CHARACTER}" if half else ""

    def done(self) -> ModelDone:
        """The end that the server gave it."""
        return ModelDone(self._stop or "cut", self.model, self._usage(), self._detail)

    def cut_off(self, detail: str) -> ModelDone:
        """The end of a reply that broke off in the middle."""
        return ModelDone("cut", self.model, self._usage(), detail)

    def _add(self, text: str) -> str:
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        self.has_text = self.has_text or bool(text)
        return whole_characters(text)

    def _end(self, reason: str, details: object) -> None:
        if not reason:
            return
        self._stop = _STOPS.get(reason, "end")
        if self._stop == "refusal":
            self._detail = _text(details, "explanation") or "The model declined to answer."
        elif self._stop == "cut":
            self._detail = "The model paused in the middle of its reply."

    def _count(self, usage: object) -> None:
        """Every count in `usage` is a total so far, so none of them ever falls."""
        now = self._tokens
        self._tokens = TokenUsage(
            input_tokens=max(now.input_tokens, _number(usage, "input_tokens")),
            output_tokens=max(now.output_tokens, _number(usage, "output_tokens")),
            cache_read_tokens=max(now.cache_read_tokens, _number(usage, "cache_read_input_tokens")),
            cache_write_tokens=max(
                now.cache_write_tokens, _number(usage, "cache_creation_input_tokens")
            ),
        )

    def _usage(self) -> TokenUsage:
        if self._price is None:
            return self._tokens
        tokens = self._tokens
        input_equivalent = (
            tokens.input_tokens
            + tokens.cache_read_tokens * CACHE_READ_FACTOR
            + tokens.cache_write_tokens * CACHE_WRITE_FACTOR
        )
        cost = input_equivalent * self._price.input + tokens.output_tokens * self._price.output
        return replace(tokens, cost_usd=cost / 1_000_000)


def whole_characters(text: str) -> str:
    """`text` with surrogate pairs joined, and lone surrogates replaced with U+FFFD."""
    if text.isascii() or not _SURROGATES.search(text):
        return text
    joined = _PAIRS.sub(
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
    )
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", joined)


def _text(holder: object, name: str) -> str:
    value = getattr(holder, name, None)
    return whole_characters(value) if isinstance(value, str) else ""


def _number(holder: object, name: str) -> int:
    value = getattr(holder, name, None)
    return value if isinstance(value, int) else 0
