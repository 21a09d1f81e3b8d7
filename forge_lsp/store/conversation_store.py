"""The port `ConversationStore` over SQL."""

from collections.abc import Sequence

from forge_lsp.ports.conversations import (
    ConversationRecord,
    ListedConversation,
    NumberedMessage,
)
from forge_lsp.ports.projects import ProjectMessage
from forge_lsp.store import conversations, projects
from forge_lsp.store.database import Database


class SqlConversations(Database):
    """Conversations of projects; a part of `SqlStore`."""

    async def current_conversation(self, new: ConversationRecord) -> ConversationRecord:
        """The one of `new`'s project that was opened last; `new` where there is none."""
        found = await self._read(conversations.opened_last, new.project)
        return found or await self._write(conversations.begin_first, new)

    async def begin_conversation(self, new: ConversationRecord) -> ConversationRecord:
        """Write it as the project's current one."""
        return await self._write(conversations.begin, new)

    async def open_conversation(self, conversation_id: str, at: int) -> None:
        """Make it its project's current one."""
        await self._write(conversations.open_again, conversation_id, at)

    async def name_conversation(self, conversation_id: str, title: str) -> None:
        """Give it a title, where it has none."""
        await self._write(conversations.name, conversation_id, title)

    async def conversation(self, conversation_id: str) -> ConversationRecord | None:
        """The conversation of this id."""
        return await self._read(conversations.one, conversation_id)

    async def conversations(self, project: str, *, limit: int) -> Sequence[ListedConversation]:
        """The newest first."""
        return await self._read(conversations.newest, project, limit)

    async def conversation_messages(
        self, conversation_id: str, *, limit: int
    ) -> Sequence[ProjectMessage]:
        """The last `limit` messages as people see them, the oldest of them first."""
        return await self._read(projects.conversation_messages, conversation_id, limit)

    async def numbered_messages(
        self, conversation_id: str, *, after: int, limit: int
    ) -> Sequence[NumberedMessage]:
        """The last `limit` of those past the number `after`, the oldest of them first."""
        return await self._read(conversations.numbered, conversation_id, after, limit)

    async def save_summary(self, conversation_id: str, summary: str, upto: int) -> None:
        """Keep a summary, unless one that tells of more is there."""
        await self._write(conversations.save_summary, conversation_id, summary, upto)
