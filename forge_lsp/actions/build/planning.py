"""The first step of a build: what is to be written."""

from collections.abc import Sequence
from contextlib import aclosing

from forge_lsp import events
from forge_lsp.actions.context import usage
from forge_lsp.errors import ModelFailed
from forge_lsp.events import Planned
from forge_lsp.generation.plans import PLAN_SCHEMA, PLAN_SYSTEM, ReadPlan, parse_plan, plan_prompt
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest, Retrying, TextPiece
from forge_lsp.runs import Run

ATTEMPTS = 2
MAX_REPLY_CHARACTERS = 400_000


class NoPlan(ModelFailed):
    """The model answered with no plan that names a file."""

    code = "no_plan"
    remedy = "Say in more words what the app is for and what it shows, and try again."


async def make_plan(
    run: Run,
    model: Model,
    prompt: str,
    context: str,
    *,
    recent: Sequence[Message] = (),
    most_files: int,
) -> Planned:
    """Ask for a plan, once more where what comes is none; tells what of it was left out.

    `context` is the project as it is, `recent` what was said of it before. Raises `NoPlan`, and
    what the model raises.
    """
    await run.append(events.Stage("Planning..."))
    asked = ModelRequest(
        purpose="plan",
        system=PLAN_SYSTEM,
        context=context,
        messages=[*recent, Message("user", plan_prompt(prompt, most_files=most_files))],
        schema=PLAN_SCHEMA,
    )
    for _ in range(ATTEMPTS):
        read = await _ask(run, model, asked, most_files)
        if read is not None:
            for note in read.notes:
                await run.append(events.Problem("plan_cut", note))
            return read.planned
    raise NoPlan("The model made no plan that names a file.")


async def _ask(run: Run, model: Model, asked: ModelRequest, most_files: int) -> ReadPlan | None:
    reply = ""
    async with aclosing(model.stream(asked)) as stream:
        async for event in stream:
            match event:
                case TextPiece(text):
                    reply += text
                    if len(reply) > MAX_REPLY_CHARACTERS:
                        return None
                case Retrying(_, _, delay_s, reason):
                    await run.append(events.Stage(f"{reason} Trying again in {delay_s:.0f} s..."))
                case ModelDone():
                    await run.append(usage(event))
    return parse_plan(reply, most_files=most_files)
