"""Conversations of projects, as they are kept: each prompt goes into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ProjectMessage


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """What belongs together of the things that were said about a project."""

    id: str
    project: str
    account: str
    created_at: int
    """Milliseconds since the epoch, as every time here."""
    opened_at: int
    """When it was begun or switched to last; the project's current one is the newest by this."""
    title: str = ""
    """From its first prompt; empty before there is one."""
    summary: str = ""
    """What was said up to `summarised_upto`, in short."""
    summarised_upto: int = 0
    """The number of the last message that `summary` tells of; 0 where it tells of none."""


@dataclass(frozen=True, slots=True)
class ListedConversation:
    """A conversation, and how many messages people see in it."""

    conversation: ConversationRecord
    messages: int


@dataclass(frozen=True, slots=True)
class NumberedMessage:
    """A message as the model is shown it; numbers rise within a conversation, with gaps."""

    number: int
    message: Message


class ConversationStore(Protocol):
    """Every method raises `StoreFailed` when the database won't.

    The project of a conversation has to be there.
    """

    async def current_conversation(self, new: ConversationRecord) -> ConversationRecord:
        """The one of `new`'s project that was opened last.

        Where there is none, `new` is written and given. What was said in the project before it
        had conversations is then said in it.
        """
        ...

    async def begin_conversation(self, new: ConversationRecord) -> ConversationRecord:
        """Write it as the project's current one; its times are later than those of all others."""
        ...

    async def open_conversation(self, conversation_id: str, at: int) -> None:
        """Make it its project's current one."""
        ...

    async def name_conversation(self, conversation_id: str, title: str) -> None:
        """Give it a title, where it has none."""
        ...

    async def conversation(self, conversation_id: str) -> ConversationRecord | None: ...

    async def conversations(self, project: str, *, limit: int) -> Sequence[ListedConversation]:
        """The newest first."""
        ...

    async def conversation_messages(
        self, conversation_id: str, *, limit: int
    ) -> Sequence[ProjectMessage]:
        """The last `limit` messages as people see them, the oldest of them first."""
        ...

    async def numbered_messages(
        self, conversation_id: str, *, after: int, limit: int
    ) -> Sequence[NumberedMessage]:
        """The last `limit` of those past the number `after`, the oldest of them first."""
        ...

    async def save_summary(self, conversation_id: str, summary: str, upto: int) -> None:
        """Keep a summary, unless one that tells of more is there."""
        ...
