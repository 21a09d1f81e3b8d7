"""Conversations: which one a project's prompts go into, and what is kept of each turn."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.request import title_of
from forge_lsp.changes.sets import FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import NotFound
from forge_lsp.generation.summaries import shortened
from forge_lsp.ports.conversations import ConversationRecord, ListedConversation
from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ChangedFile, ProjectMessage, ProjectRecord
from forge_lsp.runs import Run

MOST_LISTED = 100
"""Conversations of a project that are listed."""
MOST_ANSWER_CHARACTERS = 20_000
"""Of what a model says beside the files; of more, the start and the end are kept."""
MOST_NAMED = 50
"""Files that an answer names."""
_MOST_TAKEN_OVER = 1_000
"""Messages of an earlier version among which the first prompt is looked for."""


@dataclass(slots=True)
class Turn:
    """A prompt, and what is said to it."""

    prompt: str
    conversation: str
    answer: str = ""
    """What the model says beside the files."""


async def project_of_folder(engine: Engine, uri: str, account: str) -> ProjectRecord:
    """The project of a folder in an editor, kept from now on. Raises `StoreFailed`."""
    found = await engine.store.project(uri)
    if found is None:
        now = now_ms()
        name = unquote(uri.rstrip("/").rpartition("/")[2]) or uri
        found = ProjectRecord(uri, account, name, now, now, folder=uri)
        await engine.store.save_project(found)
    return found


async def current_conversation(engine: Engine, project: ProjectRecord) -> ConversationRecord:
    """The project's conversation that was opened last; one is begun where there is none.

    The project has to be kept already. Raises `StoreFailed`.
    """
    new = _new(project)
    current = await engine.store.current_conversation(new)
    if current.id == new.id:
        await _name_by_first_prompt(engine, new.id)
    return current


async def begin_conversation(engine: Engine, project: ProjectRecord) -> ConversationRecord:
    """Begin one, in which nothing of the others is known. Raises `StoreFailed`."""
    # What an earlier version kept belongs to a conversation of its own.
    before = await current_conversation(engine, project)
    if not await engine.store.conversation_messages(before.id, limit=1) and not before.title:
        return before
    return await engine.store.begin_conversation(_new(project))


async def open_conversation(
    engine: Engine, project: ProjectRecord, conversation_id: str
) -> ConversationRecord:
    """Make it the project's current one. Raises `NotFound`, for other projects' too."""
    found = await conversation_of(engine, project, conversation_id)
    await engine.store.open_conversation(found.id, now_ms())
    return found


async def conversation_of(
    engine: Engine, project: ProjectRecord, conversation_id: str
) -> ConversationRecord:
    """The project's conversation of this id; raises `NotFound`, for other projects' too."""
    found = await engine.store.conversation(conversation_id)
    if found is None or found.project != project.id:
        raise NotFound(
            f"There is no conversation {conversation_id[:80]} in this project.",
            remedy="forge.conversation.switch without an id lists them.",
        )
    return found


async def list_conversations(
    engine: Engine, project: ProjectRecord
) -> Sequence[ListedConversation]:
    """The newest first."""
    await current_conversation(engine, project)
    return await engine.store.conversations(project.id, limit=MOST_LISTED)


async def named_conversation(engine: Engine, name: str, account: str) -> str:
    """The id under which what is said in `name` is kept: of the project of that id the current
    conversation, and else `name` itself, which may be any.

    Raises `NotFound` for a conversation of another account's.
    """
    project = await engine.store.project(name)
    if project is not None and project.account == account:
        return (await current_conversation(engine, project)).id
    found = await engine.store.conversation(name)
    if found is not None and found.account != account:
        raise NotFound(f"There is no conversation {name}.")
    return name


async def keep_turn(
    engine: Engine,
    run: Run,
    turn: Turn,
    changes: Sequence[FileChange],
    *,
    answer_id: str = "",
    fragment_id: str | None = None,
) -> None:
    """Keep what was asked and answered at the end of the turn's conversation: for the model and,
    where it is a project's, for people. The content of files isn't repeated in it.

    Raises `StoreFailed`.
    """
    told = answer_text(turn.answer, [str(change.path) for change in changes])
    conversation = await engine.store.conversation(turn.conversation)
    if conversation is not None:
        asked_at = run.record.started_at
        asked = ProjectMessage(
            new_message_id(), conversation.project, "user", turn.prompt, asked_at, run_id=run.id
        )
        answered = ProjectMessage(
            answer_id or new_message_id(),
            conversation.project,
            "assistant",
            told,
            max(now_ms(), asked_at + 1),
            run_id=run.id,
            fragment_id=fragment_id,
            changed=changed_files(changes),
        )
        for message in (asked, answered):
            kept = replace(message, conversation=conversation.id)
            await engine.store.add_project_message(kept)
    await remember(engine, turn.conversation, turn.prompt, told)


async def remember(engine: Engine, conversation_id: str, prompt: str, answer: str) -> None:
    """Keep a turn for the model, and as the title of a project's conversation that has none.

    Raises `StoreFailed`.
    """
    turns = [Message("user", prompt), Message("assistant", answer)]
    await engine.store.add_messages(conversation_id, turns)
    if prompt.strip():
        await engine.store.name_conversation(conversation_id, title_of(prompt))


def answer_text(prose: str, paths: Sequence[str]) -> str:
    """What a conversation keeps of an answer: its prose, and the names of what it changed."""
    told = shortened(prose.strip(), MOST_ANSWER_CHARACTERS)
    more = len(paths) - MOST_NAMED
    names = ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    if names:
        told = f"{told}\n\n(Changed: {names})".strip()
    return told or "(nothing)"


def changed_files(changes: Sequence[FileChange]) -> tuple[ChangedFile, ...]:
    """Each with the lines that it gains and loses."""
    return tuple(
        ChangedFile(
            str(change.path),
            sum(hunk.after_count for hunk in change.hunks),
            sum(hunk.before_count for hunk in change.hunks),
        )
        for change in changes
    )


def new_message_id() -> str:
    """One that no other message has."""
    return f"msg_{secrets.token_hex(10)}"


def _new(project: ProjectRecord) -> ConversationRecord:
    now = now_ms()
    return ConversationRecord(
        f"conv_{secrets.token_hex(10)}", project.id, project.account, now, now
    )


async def _name_by_first_prompt(engine: Engine, conversation_id: str) -> None:
    """Of what an earlier version kept."""
    kept = await engine.store.conversation_messages(conversation_id, limit=_MOST_TAKEN_OVER)
    prompts = (each.text for each in kept if each.role == "user" and each.text.strip())
    if first := next(prompts, ""):
        await engine.store.name_conversation(conversation_id, title_of(first))
