"""Conversations, as rows, and what the model is shown of them."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from forge_lsp.ports.conversations import (
    ConversationRecord,
    ListedConversation,
    NumberedMessage,
)
from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ProjectMessage
from forge_lsp.store import projects, schema

_conversations = schema.conversations.c
_messages = schema.messages.c
_seen = schema.project_messages.c
_projects = schema.projects.c
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


def numbered(
    connection: Connection, conversation: str, after: int, limit: int
) -> Sequence[NumberedMessage]:
    """The last `limit` messages past the number `after`, the oldest of them first."""
    query = (
        select(_messages.id, _messages.role, _messages.text)
        .where(_messages.conversation == conversation, _messages.id > after)
        .order_by(_messages.id.desc())
        .limit(limit)
    )
    found = connection.execute(query).all()
    return [NumberedMessage(number, Message(role, text)) for number, role, text in reversed(found)]


def one(connection: Connection, conversation_id: str) -> ConversationRecord | None:
    """The conversation of this id."""
    return _first(connection, _conversations.id == conversation_id)


def opened_last(connection: Connection, project: str) -> ConversationRecord | None:
    """The project's current conversation; None where it has none at all."""
    return _first(connection, _conversations.project == project)


def newest(connection: Connection, project: str, limit: int) -> Sequence[ListedConversation]:
    """The project's newest conversations first."""
    count = (
        select(func.count())
        .select_from(schema.project_messages)
        .where(_seen.conversation == _conversations.id)
        .scalar_subquery()
    )
    query = (
        select(schema.conversations, count.label("messages"))
        .where(_conversations.project == project)
        .order_by(_conversations.created_at.desc(), _conversations.id.desc())
        .limit(limit)
    )
    listed: list[ListedConversation] = []
    for row in connection.execute(query).mappings():
        fields = dict(row)
        messages = fields.pop("messages")
        listed.append(ListedConversation(ConversationRecord(**fields), messages))
    return listed


def begin_first(connection: Connection, new: ConversationRecord) -> ConversationRecord:
    """The project's current conversation, which is `new` where it has none."""
    _lock(connection, new.project)
    found = opened_last(connection, new.project)
    if found is not None:
        return found
    connection.execute(insert(schema.conversations), asdict(new))
    _take_over(connection, new)
    return new


def begin(connection: Connection, new: ConversationRecord) -> ConversationRecord:
    """Write it as the project's current one; gives it with its times."""
    _lock(connection, new.project)
    at = _after_all(connection, new.project, new.created_at)
    begun = replace(new, created_at=at, opened_at=at)
    connection.execute(insert(schema.conversations), asdict(begun))
    return begun


def open_again(connection: Connection, conversation_id: str, at: int) -> None:
    """Make it its project's current one."""
    found = one(connection, conversation_id)
    if found is not None:
        _lock(connection, found.project)
        opened_at = _after_all(connection, found.project, at)
        _change(connection, _conversations.id == conversation_id, opened_at=opened_at)


def name(connection: Connection, conversation_id: str, title: str) -> None:
    """Give it a title, where it has none."""
    is_meant = (_conversations.id == conversation_id) & (_conversations.title == "")
    _change(connection, is_meant, title=title)


def save_summary(connection: Connection, conversation_id: str, summary: str, upto: int) -> None:
    """Keep a summary, unless one that tells of more is there."""
    is_meant = (_conversations.id == conversation_id) & (_conversations.summarised_upto < upto)
    _change(connection, is_meant, summary=summary, summarised_upto=upto)


def _first(connection: Connection, is_meant: ColumnElement[bool]) -> ConversationRecord | None:
    query = (
        select(schema.conversations)
        .where(is_meant)
        .order_by(_conversations.opened_at.desc(), _conversations.id.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else ConversationRecord(**row)


def _change(connection: Connection, is_meant: ColumnElement[bool], **values: str | int) -> None:
    connection.execute(update(schema.conversations).where(is_meant).values(values))


def _lock(connection: Connection, project: str) -> None:
    """Keep everybody else from the project's conversations until the transaction ends."""
    same = {"updated_at": _projects.updated_at}
    connection.execute(update(schema.projects).where(_projects.id == project).values(same))


def _after_all(connection: Connection, project: str, at: int) -> int:
    """`at`, or later: past every time of the project's conversations."""
    times = select(func.max(_conversations.created_at), func.max(_conversations.opened_at))
    found = connection.execute(times.where(_conversations.project == project)).one()
    return max(at, *(time + 1 for time in found if time is not None))


def _take_over(connection: Connection, first: ConversationRecord) -> None:
    """What was said in the project before it had conversations is said in its first one.

    What the model was shown and what people were may each have been kept without the other.
    """
    shown = update(schema.messages).where(_messages.conversation == first.project)
    is_shown = connection.execute(shown.values(conversation=first.id)).rowcount > 0
    is_older = (_seen.project == first.project) & _seen.conversation.is_(None)
    seen = update(schema.project_messages).where(is_older)
    is_seen = connection.execute(seen.values(conversation=first.id)).rowcount > 0
    if is_seen and not is_shown:
        told = projects.conversation_messages(connection, first.id, None)
        add(connection, first.id, [Message(each.role, each.text) for each in told])
    elif is_shown and not is_seen:
        _let_see(connection, first)


def _let_see(connection: Connection, first: ConversationRecord) -> None:
    """Show people what only the model was shown: when it was said isn't known any more."""
    query = select(_messages.role, _messages.text).where(_messages.conversation == first.id)
    for number, (role, text) in enumerate(connection.execute(query.order_by(_messages.id)).all()):
        message_id = f"msg_{secrets.token_hex(10)}"
        message = ProjectMessage(
            message_id, first.project, role, text, first.created_at + number, conversation=first.id
        )
        projects.add_message(connection, message)
