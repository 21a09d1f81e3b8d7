"""The third step of a build: somebody reads the whole."""

from dataclasses import replace

from forge_lsp import events
from forge_lsp.actions.build.guarding import Guard
from forge_lsp.actions.drafting import Drafting
from forge_lsp.actions.looking import visit
from forge_lsp.actions.repair import Repair
from forge_lsp.actions.writing import Writing
from forge_lsp.errors import ForgeError, ModelFailed
from forge_lsp.generation.context import fit
from forge_lsp.generation.prompts import project_context
from forge_lsp.generation.reviews import notes_in, review_prompt
from forge_lsp.ports.model import Message, Model, ModelRequest
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.settings import GenerationSettings

DROPPED = "The reviewer's changes were dropped: with them the app has new errors."


async def review(
    model: Model,
    work: Drafting,
    ask: ModelRequest,
    plan: str,
    *,
    repair: Repair | None,
    sandbox: Sandbox | None,
    settings: GenerationSettings,
) -> None:
    """Have the app read as a whole, and mended where that makes it no worse.

    A reviewer who fails costs the review and nothing else. Raises `StoreFailed`.
    """
    run = work.run
    await run.append(events.Stage("Reading the whole..."))
    drafts = work.drafts.another()
    try:
        guard = await Guard.begin(work, repair)
        picture = await visit(sandbox) if sandbox else None
        prompt = review_prompt(guard.errors, has_picture=picture is not None)
        request = replace(
            ask,
            purpose="review",
            context=f"{await _whole(work, settings)}\n\n{plan}",
            messages=[Message("user", prompt)],
            picture=picture,
        )
        done = await Writing(run, model, drafts, settings, is_one_of_many=True).write(request)
        if done.stop == "refusal":
            raise ModelFailed(done.detail or "The model refused.")
        patched = tuple(guard.changed)
        if await guard.settle(drafts):
            await run.append(events.Problem("review_dropped", DROPPED))
            patched = ()
    except ForgeError as error:
        if error.code == "store_failed":
            raise
        told = f"The app was not reviewed. {error.for_people()}"
        await run.append(events.Problem(error.code, told))
        return
    await run.append(events.Reviewed(notes_in(drafts.prose), tuple(map(str, patched))))


async def _whole(work: Drafting, settings: GenerationSettings) -> str:
    """All that was written, as far as it fits; what is shown may be edited."""
    texts = {
        path: text
        for path in work.drafts.changes
        if (text := await work.drafts.text(path)) is not None
    }
    files = fit(texts, settings.context_tokens, tuple(texts))
    work.drafts.show(files)
    return project_context(files, sorted({*await work.source.files(), *texts}))
