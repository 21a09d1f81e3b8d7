import asyncio

import pytest

from forge_lsp.errors import StoreFailed
from forge_lsp.ports.model import Message
from forge_lsp.ports.store import Store


async def test_messages_come_back_in_the_order_they_were_added(store: Store):
    said = [Message("user" if n % 2 == 0 else "assistant", f"message {n}") for n in range(10)]
    await store.add_messages("chat", said[:1])
    await store.add_messages("elsewhere", [Message("user", "other")])
    await store.add_messages("chat", said[1:])

    assert await store.messages("chat", limit=100) == said
    assert await store.messages("chat", limit=3) == said[-3:]
    assert await store.messages("elsewhere", limit=3) == [Message("user", "other")]
    assert await store.messages("unknown", limit=3) == []
    assert await store.messages("chat", limit=0) == []


async def test_no_messages_are_no_fault(store: Store):
    await store.add_messages("chat", [])
    assert await store.messages("chat", limit=9) == []


async def test_texts_are_kept_as_they_are(store: Store):
    said = [
        Message("user", "'; DROP TABLE messages; -- %s :x $1 ? {}"),
        Message("assistant", "\u202e\u2028\ufeff\x01\x7f e\u0301 \U0001f469\u200d\U0001f680\r\n"),
        Message("user", ""),
        Message("user", "x" * 5_000_000),
    ]
    await store.add_messages("chat \U0001f680 '", said)
    assert await store.messages("chat \U0001f680 '", limit=9) == said


async def test_messages_are_added_all_or_none(store: Store):
    with pytest.raises(StoreFailed):
        await store.add_messages("chat", [Message("user", "fine"), Message("user", "lone \udcff")])
    assert await store.messages("chat", limit=9) == []


async def test_turns_added_at_once_stay_together(store: Store):
    async def add(turn: int) -> None:
        question, answer = Message("user", f"{turn}?"), Message("assistant", f"{turn}!")
        await store.add_messages("chat", [question, answer])

    await asyncio.gather(*(add(turn) for turn in range(20)))
    texts = [message.text for message in await store.messages("chat", limit=100)]
    assert len(texts) == 40
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        assert question[:-1] == answer[:-1]
