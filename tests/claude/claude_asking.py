"""Asks a model in tests, and looks at what comes back."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from forge_lsp.claude.opening import open_model
from forge_lsp.generation.prompts import system_prompt
from forge_lsp.ports.model import (
    Message,
    Model,
    ModelDone,
    ModelEvent,
    ModelRequest,
    Retrying,
    TextPiece,
)
from forge_lsp.settings import ModelSettings, Secret, Settings

KEY = "sk-ant-test-key-1234567890"


@asynccontextmanager
async def claude_at(url: str, **changed: Any) -> AsyncGenerator[Model]:
    """The real adapter for a server at `url`, impatient enough for tests."""
    quick: dict[str, Any] = {
        "provider": "anthropic",
        "base_url": url,
        "api_key": Secret(KEY),
        "attempts": 3,
        "max_retry_delay_s": 0.01,
        "idle_timeout_s": 5.0,
        "ping_timeout_s": 10.0,
    }
    model = await open_model(Settings(model=ModelSettings(**{**quick, **changed})))
    try:
        yield model
    finally:
        await model.close()


@asynccontextmanager
async def the_demo(pace_s: float = 0, **changed: Any) -> AsyncGenerator[Model]:
    """The demo model, by default without its pauses."""
    settings = ModelSettings(provider="demo", demo_pace_s=pace_s, **changed)
    model = await open_model(Settings(model=settings))
    try:
        yield model
    finally:
        await model.close()


def request(prompt: str = "Hello", **fields: Any) -> ModelRequest:
    """A request for code that teaches edits, unless `fields` say otherwise."""
    known: dict[str, Any] = {
        "purpose": "code",
        "system": system_prompt(whole_files=False, has_template=True),
        "context": "",
        "messages": [Message("user", prompt)],
    }
    return ModelRequest(**{**known, **fields})


async def events_of(model: Model, asked: ModelRequest | None = None) -> Sequence[ModelEvent]:
    return [event async for event in model.stream(asked or request())]


def text_of(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextPiece))


def retries_of(events: Sequence[ModelEvent]) -> list[Retrying]:
    return [event for event in events if isinstance(event, Retrying)]


def end_of(events: Sequence[ModelEvent]) -> ModelDone:
    """The last event, which must be the only ModelDone."""
    ends = [event for event in events if isinstance(event, ModelDone)]
    assert ends == [events[-1]]
    return ends[0]
