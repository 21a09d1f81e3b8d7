"""The same contract against the real API: run only when it is asked for (see conftest.py)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import msgspec
import pytest
from claude_asking import end_of, events_of, request, text_of

from forge_lsp import loading, settings
from forge_lsp.claude.opening import open_model
from forge_lsp.errors import ModelKeyRejected, ModelRequestRefused
from forge_lsp.ports.model import Model, TextPiece

SMALL = "claude-haiku-5-5"
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}


@asynccontextmanager
async def live(**changed: object) -> AsyncGenerator[Model]:
    loaded, _ = loading.load()
    chosen = {"provider": "anthropic", "code": SMALL, "select": SMALL, "max_output_tokens": 2048}
    group = msgspec.structs.replace(loaded.model, **{**chosen, **changed})
    model = await open_model(msgspec.structs.replace(loaded, model=group))
    try:
        yield model
    finally:
        await model.close()


async def test_a_reply_streams_to_its_end_and_is_counted():
    async with live() as model:
        events = await events_of(model, request("Say the word forge and nothing else."))
    assert "forge" in text_of(events).lower()
    end = end_of(events)
    assert end.stop == "end"
    assert end.usage.input_tokens > 0
    assert end.usage.cost_usd


async def test_a_reply_that_is_too_long_says_so():
    async with live(max_output_tokens=256) as model:
        events = await events_of(model, request("Count from 1 to 1000, one number a line."))
    assert end_of(events).stop == "max_tokens"


async def test_a_schema_is_fitted():
    asked = request("Which file holds the counter?", purpose="select", schema=SCHEMA)
    async with live() as model:
        assert set(json.loads(text_of(await events_of(model, asked)))) == {"path"}


async def test_a_second_request_reads_the_context_from_the_cache():
    context = "\n".join(f"const constant{number} = {number};" for number in range(3000))
    asked = request("Say yes.", context=context)
    async with live() as model:
        await events_of(model, asked)
        usage = end_of(await events_of(model, asked)).usage
    assert usage.cache_read_tokens > 1000


async def test_closing_the_iterator_is_quick():
    async with live() as model:
        async with asyncio.timeout(30):
            async with aclosing(model.stream(request("Count to 1000."))) as events:
                assert isinstance(await anext(events), TextPiece)
        assert text_of(await events_of(model, request("Say yes.")))


async def test_an_unknown_model_and_a_wrong_key_are_told_apart():
    async with live(code="claude-of-another-world") as model:
        with pytest.raises(ModelRequestRefused):
            await events_of(model)
    async with live(api_key=settings.Secret("sk-ant-wrong")) as model:
        with pytest.raises(ModelKeyRejected):
            await events_of(model)
