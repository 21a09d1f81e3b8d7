"""What a follow-up is shown of its conversation: the last messages, and a summary of the rest."""

from collections.abc import Sequence
from contextlib import aclosing

from forge_lsp import events
from forge_lsp.actions.context import usage
from forge_lsp.actions.engine import Engine
from forge_lsp.errors import ModelFailed
from forge_lsp.generation.summaries import (
    MAX_SUMMARY_CHARACTERS,
    SUMMARY_SYSTEM,
    summary_message,
    summary_prompt,
)
from forge_lsp.ports.conversations import ConversationRecord
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest, Retrying, TextPiece
from forge_lsp.runs import Run

MOST_SUMMARISED = 200
"""Messages that one summary takes in; of more, which only an earlier version can have left, the
oldest are passed over."""


class NotSummarised(ModelFailed):
    """The model made no summary of it."""

    code = "not_summarised"


async def recall(engine: Engine, run: Run, model: Model, conversation_id: str) -> Sequence[Message]:
    """The last messages in whole and, in front of them, a summary of those before.

    Once messages have fallen out of what is shown in whole, they are summed up, together with the
    older half of what is still shown: so that it isn't done again at the next message. Where the
    model fails, the run is told and goes on with the summary that there is.
    """
    limit = engine.settings.generation.recent_messages
    if not limit:
        return ()
    conversation = await engine.store.conversation(conversation_id)
    if conversation is None:
        # Of an app, or only named over HTTP.
        return await engine.store.messages(conversation_id, limit=limit)
    summary = await _summary(engine, run, model, conversation, limit)
    recent = await engine.store.messages(conversation.id, limit=limit)
    return [summary_message(summary), *recent] if summary else recent


async def _summary(
    engine: Engine, run: Run, model: Model, conversation: ConversationRecord, shown: int
) -> str:
    """Of all that isn't shown in whole; empty where there is none."""
    unsummarised = await engine.store.numbered_messages(
        conversation.id,
        after=conversation.summarised_upto,
        limit=MOST_SUMMARISED + shown - shown // 2,
    )
    if len(unsummarised) <= shown:
        return conversation.summary
    due = unsummarised[: len(unsummarised) - shown + shown // 2]
    await run.append(events.Stage("Summing up the conversation so far..."))
    prompt = summary_prompt(conversation.summary, [each.message for each in due])
    try:
        summary = await _ask(run, model, prompt)
    except ModelFailed as error:
        told = f"What was said long ago was not summed up, so it isn't all known: {error.message}"
        await run.append(events.Problem(error.code, told))
        return conversation.summary
    await engine.store.save_summary(conversation.id, summary, due[-1].number)
    return summary


async def _ask(run: Run, model: Model, prompt: str) -> str:
    """The summary; raises `NotSummarised`, and what the model raises."""
    request = ModelRequest(
        purpose="summarise",
        system=SUMMARY_SYSTEM,
        context="",
        messages=[Message("user", prompt)],
    )
    reply, done = "", ModelDone("cut", "")
    async with aclosing(model.stream(request)) as stream:
        async for event in stream:
            match event:
                case TextPiece(text):
                    reply += text
                    if len(reply) > MAX_SUMMARY_CHARACTERS:
                        return reply[:MAX_SUMMARY_CHARACTERS].strip()
                case Retrying(_, _, delay_s, reason):
                    await run.append(events.Stage(f"{reason} Trying again in {delay_s:.0f} s..."))
                case ModelDone():
                    await run.append(usage(event))
                    done = event
    if done.stop not in ("end", "max_tokens") or not reply.strip():
        raise NotSummarised(done.detail or "The model's reply was no summary.")
    return reply.strip()
