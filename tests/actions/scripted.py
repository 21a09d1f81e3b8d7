"""A model that says what it was given to say: a real implementation of the port."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

from forge_lsp.errors import ModelFailed
from forge_lsp.ports.model import (
    ModelDone,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    StopReason,
    TextPiece,
    TokenUsage,
)


@dataclass(frozen=True)
class Reply:
    """One reply: its text, in pieces of `piece` characters, and how it ends."""

    text: str = ""
    stop: StopReason = "end"
    piece: int = 7
    detail: str = ""
    first: Sequence[ModelEvent] = ()
    failure: ModelFailed | None = None
    """Raised behind the text, in place of an end."""

    def events(self) -> Iterable[ModelEvent]:
        yield from self.first
        for start in range(0, len(self.text), self.piece):
            yield TextPiece(self.text[start : start + self.piece])
        if self.failure:
            raise self.failure
        yield ModelDone(self.stop, "scripted-1", TokenUsage(10, 5), self.detail)


@dataclass
class ScriptedModel:
    """Gives `replies` one after another to requests for code, and `choices` to the small ones."""

    replies: list[Reply | str]
    choices: list[Reply | str] = field(default_factory=list[Reply | str])
    writes_whole_files: bool = False
    asked: list[ModelRequest] = field(default_factory=list[ModelRequest])
    is_closed: bool = False
    ended: int = 0
    """How many streams were read to their end or closed."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            provider="scripted",
            code_model="scripted-1",
            select_model="scripted-0",
            is_canned=False,
            writes_whole_files=self.writes_whole_files,
        )

    @property
    def asked_for_code(self) -> list[ModelRequest]:
        return [request for request in self.asked if request.purpose == "code"]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request)
        script = self.replies if request.purpose == "code" else self.choices
        assert script, f"nobody expected to be asked: {request.messages[-1].text}"
        reply = script.pop(0)
        try:
            for event in (Reply(reply) if isinstance(reply, str) else reply).events():
                yield event
        finally:
            self.ended += 1

    async def close(self) -> None:
        self.is_closed = True
