"""Something that answers prompts with text; `claude` implements it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


Purpose = Literal["code", "select", "plan", "review", "augment", "skill", "summarise"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to the model, ordered from what changes least to what changes most."""

    purpose: Purpose
    """Which of the configured models answers: `select` and `summarise` are for the small, quick
    one."""
    system: str
    context: str
    """What the model should know of the project; cached together with `system`."""
    messages: Sequence[Message]
    """The conversation; the last one is the user's."""
    schema: Mapping[str, Any] | None = None
    """A JSON schema that the reply must fit; None for text."""
    picture: bytes | None = None
    """A PNG that goes with the last message."""
    model: str | None = None
    """Who answers; None: whom the settings name for the purpose."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens and cost of one request, as the server counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some more of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The request failed in a way that may pass; it is sent again after `delay_s` seconds.

    Only said before the first TextPiece: a reply that broke off ends with `stop="cut"` instead.
    """

    attempt: int
    attempts: int
    delay_s: float
    reason: str


StopReason = Literal["end", "max_tokens", "context_window", "refusal", "cut"]
"""Why the reply ended; `cut`: the connection broke off or fell silent in the middle of it."""


@dataclass(frozen=True, slots=True)
class ModelDone:
    """The reply has ended; nothing comes after it."""

    stop: StopReason
    model: str
    usage: TokenUsage = field(default_factory=TokenUsage)
    detail: str = ""
    """For `refusal` and `cut`: what is known of the cause, for people."""


ModelEvent = TextPiece | Retrying | ModelDone


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answers, for people and for the choice of an output format."""

    provider: str
    code_model: str
    select_model: str
    is_canned: bool
    """Its replies are prepared, not thought of: the demo model."""
    writes_whole_files: bool
    """It can't be trusted with search/replace edits (a small or weak model)."""


class Model(Protocol):
    """Something that answers prompts with text."""

    @property
    def info(self) -> ModelInfo: ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send the request and give the reply as it comes; the last event is a ModelDone.

        Closing the iterator (or cancelling the task that reads it) ends the request at once.
        Raises a `ModelFailed` where the request can't be answered and trying again won't help,
        or was tried often enough.
        """
        ...

    async def close(self) -> None: ...
