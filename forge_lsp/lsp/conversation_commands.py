"""forge.conversation.new, .switch and .show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp.lsp import arguments, shown_files
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.session import Session

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.ports.conversations import ListedConversation
    from forge_lsp.ports.projects import ProjectMessage, ProjectRecord
    from forge_lsp.ports.store import RunRecord

OWNER = "owner"
MOST_SHOWN = 200
"""Messages that a document holds."""
MOST_OFFERED = 9
"""Conversations that a person is asked to choose from."""
MOST_TITLE_CHARACTERS = 72


async def new(
    session: Session, given: arguments.Conversation, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Begin a conversation in which nothing of the others is known."""
    del token
    from forge_lsp.actions.conversations import begin_conversation

    engine, project = await _project(session, given)
    return {"conversationId": (await begin_conversation(engine, project)).id}


async def switch(
    session: Session, given: arguments.Conversation, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Go on with another conversation: the one named, else the one that the person picks where
    the editor can ask; the list of all comes along then."""
    del token
    from forge_lsp.actions.conversations import (
        current_conversation,
        list_conversations,
        open_conversation,
    )

    engine, project = await _project(session, given)
    if given.conversation_id is not None:
        return {
            "conversationId": (await open_conversation(engine, project, given.conversation_id)).id
        }
    listed = await list_conversations(engine, project)
    current = (await current_conversation(engine, project)).id
    if session.client.asks_questions and len(listed) > 1:
        chosen = await _chosen(session, listed)
        if chosen is not None:
            current = (await open_conversation(engine, project, chosen)).id
    return {"conversationId": current, "conversations": [_told(each, current) for each in listed]}


async def show(
    session: Session, given: arguments.Conversation, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Show a conversation, the current one where none is named, as a Markdown document."""
    del token
    from forge_lsp.actions.conversations import conversation_of, current_conversation
    from forge_lsp.lsp.conversation_document import conversation_document

    engine, project = await _project(session, given)
    if given.conversation_id is None:
        shown = await current_conversation(engine, project)
    else:
        shown = await conversation_of(engine, project, given.conversation_id)
    messages = await engine.store.conversation_messages(shown.id, limit=MOST_SHOWN)
    runs = await _runs(engine, messages)
    text = conversation_document(shown, messages, runs, is_cut=len(messages) == MOST_SHOWN)
    place = engine.places.state / "conversations" / f"{shown.id}.md"
    uri = await shown_files.keep(place, text)
    await shown_files.show(session.client, place, "The conversation")
    return {"conversationId": shown.id, "uri": uri, "markdown": text}


async def _project(
    session: Session, given: arguments.Conversation
) -> "tuple[Engine, ProjectRecord]":
    from forge_lsp.actions.conversations import project_of_folder

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    return engine, await project_of_folder(engine, workspace.project, OWNER)


async def _chosen(session: Session, listed: "Sequence[ListedConversation]") -> str | None:
    """The id of the one that the person picks; None where they pick none."""
    titles = {
        f"{number}. {_title(each)}": each.conversation.id
        for number, each in enumerate(listed[:MOST_OFFERED], 1)
    }
    chosen = await session.client.choose("Forge: go on with which conversation?", list(titles))
    return titles.get(chosen or "")


def _told(listed: "ListedConversation", current: str) -> dict[str, Any]:
    conversation = listed.conversation
    return {
        "conversationId": conversation.id,
        "title": _title(listed),
        "createdAt": conversation.created_at,
        "openedAt": conversation.opened_at,
        "messages": listed.messages,
        "isCurrent": conversation.id == current,
    }


def _title(listed: "ListedConversation") -> str:
    title = " ".join(plain(listed.conversation.title, MOST_TITLE_CHARACTERS).split())
    return title or "(nothing said yet)"


async def _runs(engine: "Engine", messages: "Sequence[ProjectMessage]") -> "dict[str, RunRecord]":
    ids = dict.fromkeys(message.run_id for message in messages if message.run_id)
    return {run.id: run for run in await engine.store.runs_named(list(ids))}
