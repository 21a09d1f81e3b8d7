"""Conversations, as rows."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select

from forge_lsp.ports.model import Message
from forge_lsp.store import schema

_messages = schema.messages.c
_last = (
    select(_messages.role, _messages.text)
    .where(_messages.conversation == bindparam("of"))
    .order_by(_messages.id.desc())
    .limit(bindparam("most"))
)


def add(connection: Connection, conversation: str, messages: Sequence[Message]) -> None:
    """Put at least one message at the end of the conversation."""
    rows = [{"conversation": conversation, "role": m.role, "text": m.text} for m in messages]
    connection.execute(insert(schema.messages), rows)


def last(connection: Connection, conversation: str, limit: int) -> Sequence[Message]:
    """The last `limit` messages, the oldest of them first."""
    found = connection.execute(_last, {"of": conversation, "most": limit})
    return [Message(role, text) for role, text in reversed(found.all())]
