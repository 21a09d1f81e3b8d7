"""Talks with the model until its reply is whole: continuations, repair turns, retries told."""

from contextlib import aclosing
from dataclasses import replace

from forge_lsp import events
from forge_lsp.actions.context import usage
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.transcript import Transcript
from forge_lsp.generation.continuation import continuation_prompt
from forge_lsp.generation.prompts import repair_prompt, whole_file_prompt
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest, Retrying, TextPiece
from forge_lsp.runs import Run
from forge_lsp.settings import GenerationSettings

REPAIR_TURNS = 2
"""One for the blocks that didn't fit, one for the whole file."""
NOTHING_SAID = ModelDone("cut", "")


class Writing:
    """Carries out one request; what it comes to stands in its drafts."""

    def __init__(
        self,
        run: Run,
        model: Model,
        drafts: Drafts,
        settings: GenerationSettings,
        *,
        is_one_of_many: bool = False,
    ) -> None:
        """The text of a reply that is one of many at once is not streamed: only its files are."""
        self._is_one_of_many = is_one_of_many
        self._run = run
        self._model = model
        self._drafts = drafts
        self._settings = settings

    async def write(self, ask: ModelRequest) -> ModelDone:
        """Send the request and take the files out of the reply; gives how the reply ended.

        Nothing half-written is taken: a file that the reply left open, or whose edit doesn't
        fit, is asked for again and then dropped with its reason.
        """
        transcript = Transcript()
        done = await self._converse(ask, transcript)
        if done.stop != "refusal":
            await self._mend(replace(ask, messages=[*ask.messages, transcript.as_message()]))
        await self._drafts.give_up_misfits()
        return done

    async def _converse(self, ask: ModelRequest, transcript: Transcript) -> ModelDone:
        """One reply, continued while it is cut off, at most as often as the settings allow."""
        turn, done = ask, NOTHING_SAID
        most = self._settings.max_continuations
        for attempt in range(most + 1):
            if attempt:
                stage = events.Stage("The reply was cut off; asking for the rest...", attempt, most)
                await self._run.append(stage)
                quoted = Message("user", continuation_prompt(transcript.text))
                turn = replace(ask, messages=[*ask.messages, transcript.as_message(), quoted])
                transcript.expect_continuation()
            done = await self._stream(turn, transcript)
            if not self._is_cut(done, transcript):
                break
        await self._drafts.take(transcript.finish())
        return done

    def _is_cut(self, done: ModelDone, transcript: Transcript) -> bool:
        """Whether there is a rest worth asking for.

        A reply that ends in the middle of a file was cut off, whatever the server calls it; one
        that only forgets its end mark, as small models do, was not.
        """
        if transcript.has_ended or transcript.length > self._settings.max_reply_characters:
            return False
        return done.stop in ("max_tokens", "cut") or (done.stop == "end" and self._drafts.is_open)

    async def _stream(self, ask: ModelRequest, transcript: Transcript) -> ModelDone:
        async with aclosing(self._model.stream(ask)) as stream:
            async for event in stream:
                match event:
                    case TextPiece(text):
                        if not self._is_one_of_many:
                            await self._run.stream_text(text)
                        await self._drafts.take(transcript.feed(text))
                        if transcript.length > self._settings.max_reply_characters:
                            return await self._stop_reading()
                    case Retrying():
                        await self._run.append(_retry_stage(event))
                    case ModelDone():
                        await self._run.append(usage(event))
                        return event
        return NOTHING_SAID

    async def _stop_reading(self) -> ModelDone:
        limit = self._settings.max_reply_characters
        message = f"The reply is longer than {limit:,} characters; the rest of it was not read."
        await self._run.append(events.Problem("reply_too_long", message))
        return ModelDone("cut", "", detail=message)

    async def _mend(self, ask: ModelRequest) -> None:
        """Ask again for each edit that didn't fit: for its blocks, then for the whole file."""
        for turn in range(REPAIR_TURNS):
            for misfit in self._drafts.misfits:
                if turn == 0 and misfit.failures:
                    again = repair_prompt(misfit.path, misfit.current, misfit.failures)
                else:
                    again = whole_file_prompt(misfit.path, misfit.current)
                await self._run.append(
                    events.Stage(f"The edit of {misfit.path} doesn't fit; asking again...")
                )
                turn_ask = replace(ask, messages=[*ask.messages, Message("user", again)])
                await self._converse(turn_ask, Transcript())


def _retry_stage(retrying: Retrying) -> events.Stage:
    return events.Stage(
        f"{retrying.reason} Trying again in {retrying.delay_s:.0f} s...",
        retrying.attempt,
        retrying.attempts,
    )
