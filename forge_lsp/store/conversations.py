"""Conversations, as rows."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from forge_lsp.ports import Message
from forge_lsp.store import schema

_messages = schema.messages.c
_last = (
    select(_messages.role, _messages.text)
    .where(_messages.conversation == bindparam("of"))
    .order_by(_messages.id.desc())
    .limit(bindparam("most"))
)


async def add(connection: AsyncConnection, conversation: str, messages: Sequence[Message]) -> None:
    """Put at least one message at the end of the conversation."""
    rows = [{"conversation": conversation, "role": m.role, "text": m.text} for m in messages]
    await connection.execute(insert(schema.messages), rows)


async def last(connection: AsyncConnection, conversation: str, limit: int) -> Sequence[Message]:
    """The last `limit` messages, the oldest of them first."""
    found = await connection.execute(_last, {"of": conversation, "most": limit})
    return [Message(role, text) for role, text in reversed(found.all())]
