"""Generate and edit: from a prompt to whole files, in the sandbox at once, pending review."""

from collections.abc import Sequence
from dataclasses import replace

from forge_lsp import events
from forge_lsp.actions.context import Gathered, gather_for_edit, gather_for_new
from forge_lsp.actions.conversations import (
    Turn,
    current_conversation,
    keep_turn,
    named_conversation,
    project_of_folder,
)
from forge_lsp.actions.drafting import drafting
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.metering import model_for_run
from forge_lsp.actions.recalling import recall
from forge_lsp.actions.repair import mend_new
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.writing import Writing
from forge_lsp.events import RunFinished
from forge_lsp.generation.by_hand import told_by_hand
from forge_lsp.generation.prompts import project_context, request_text, system_prompt
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run


async def generate(engine: Engine, request: GenerateRequest) -> Run:
    """Start a run that carries out the request; one in an editor's workspace goes on with the
    conversation that is the project's current one now.

    Raises `InvalidRequest` for a prompt that can't be taken, `TooManyRuns`, `StoreFailed`.
    """
    request.check(engine.settings.generation.max_prompt_bytes)
    request = replace(request, conversation=await _conversation(engine, request))

    async def work(run: Run) -> RunFinished | None:
        return await carry_out(engine, request, run)

    return await engine.runs.start(
        work,
        kind="edit" if request.is_edit else "generate",
        title=request.title,
        project=request.project,
        account=request.account,
    )


async def carry_out(engine: Engine, request: GenerateRequest, run: Run) -> RunFinished | None:
    """What such a run does; gives how it ends, None for well."""
    await run.append(events.Stage(_first_stage(engine)))
    model = await model_for_run(engine, request.may_go_on)
    if request.workspace is None:
        drafts = Drafts(run, request.source)
        done = await _write(engine, request, run, model, drafts)
    else:
        drafts, done = await _write_into(engine, request, request.workspace, run, model)
    await _remember(engine, run, request, drafts)
    return _ending(done, drafts)


def _first_stage(engine: Engine) -> str:
    if engine.settings.provider != "demo":
        return "Analyzing request..."
    return (
        "Analyzing request... (demo model: its answers are prepared; "
        "set ANTHROPIC_API_KEY for Claude's own)"
    )


async def _write(  # noqa: PLR0917 - Each is what one run works with.
    engine: Engine,
    request: GenerateRequest,
    run: Run,
    model: Model,
    drafts: Drafts,
    by_hand: str = "",
) -> ModelDone:
    """Ask the model and take the files out of its reply."""
    settings = engine.settings.generation
    if request.is_edit:
        gathered = await gather_for_edit(run, model, request, budget_tokens=settings.context_tokens)
    else:
        gathered = await gather_for_new(request, budget_tokens=settings.context_tokens)
    drafts.show(gathered.files)
    recent = await _recent(engine, run, model, request)
    await run.append(events.Stage("Generating..."))
    ask = _model_request(
        request, gathered, recent, by_hand, whole_files=model.info.writes_whole_files
    )
    done = await Writing(run, model, drafts, settings).write(ask)
    for name in drafts.packages:
        await run.append(events.PackageNeeded(name))
    return done


async def _write_into(
    engine: Engine, request: GenerateRequest, workspace: Workspace, run: Run, model: Model
) -> tuple[Drafts, ModelDone]:
    """The same for a workspace: shown in its sandbox meanwhile, and kept as a change set.

    What a run had finished when it was cancelled or failed is kept, too, but never accepted by
    itself.
    """
    repairs = engine.settings.repair.automatic
    named = request.conversation
    turn = None if request.is_accepted or named is None else Turn(request.prompt, named)
    async with drafting(
        engine,
        run,
        workspace,
        request.account,
        looks_first=repairs,
        is_accepted=request.is_accepted,
        turn=turn,
    ) as work:
        request = replace(request, source=work.source)
        by_hand = told_by_hand(work.by_hand, engine.settings.generation.by_hand_tokens)
        done = await _write(engine, request, run, model, work.drafts, by_hand)
        await work.install_needed()
        work.is_whole = _ending(done, work.drafts) is None
        if repairs and work.is_whole and work.drafts.changes:
            await mend_new(engine, model, work)
    return work.drafts, done


async def _recent(
    engine: Engine, run: Run, model: Model, request: GenerateRequest
) -> Sequence[Message]:
    """The earlier turns: those that came along, else what there is of the conversation."""
    limit = engine.settings.generation.recent_messages
    if request.recent:
        return request.recent[-limit:] if limit else ()
    if request.conversation is None:
        return ()
    return await recall(engine, run, model, request.conversation)


async def _remember(engine: Engine, run: Run, request: GenerateRequest, drafts: Drafts) -> None:
    """Store this turn; one about a workspace is kept by whoever keeps what came of it."""
    if request.conversation is not None and request.workspace is None:
        turn = Turn(request.prompt, request.conversation, drafts.prose)
        await keep_turn(engine, run, turn, list(drafts.changes.values()))


async def _conversation(engine: Engine, request: GenerateRequest) -> str | None:
    """Where the turn belongs: in an editor's workspace, into its current conversation."""
    if request.workspace is not None and not request.is_accepted:
        folder = request.workspace.project
        project = await project_of_folder(engine, folder, request.account)
        return (await current_conversation(engine, project)).id
    if request.conversation is None:
        return None
    return await named_conversation(engine, request.conversation, request.account)


def _model_request(
    request: GenerateRequest,
    gathered: Gathered,
    recent: Sequence[Message],
    by_hand: str,
    *,
    whole_files: bool,
) -> ModelRequest:
    has_template = any(path.startswith("vite.config.") for path in gathered.all_paths)
    selection = request.selection
    asked = request_text(
        request.prompt,
        selection=selection.text if selection else None,
        selection_path=selection.path if selection else None,
        edit_type=gathered.edit_type,
        by_hand=by_hand,
    )
    return ModelRequest(
        purpose="code",
        system=system_prompt(
            whole_files=whole_files, has_template=has_template or not gathered.all_paths
        ),
        context=project_context(gathered.files, gathered.all_paths),
        messages=[*recent, Message("user", asked)],
    )


def _ending(done: ModelDone, drafts: Drafts) -> RunFinished | None:
    """How the run ends; None for well."""
    kept = f" {len(drafts.changes)} whole file(s) were kept." if drafts.changes else ""
    match done.stop:
        case "refusal":
            told = done.detail or "The model refused the request. Put it in other words."
            return RunFinished("refused", "refused", told)
        case "end" if drafts.changes or drafts.prose.strip():
            return None
        case "end":
            empty = "The model answered with nothing that could be used. Try again."
            return RunFinished("failed", "empty_reply", empty)
        case "cut" | "max_tokens" | "context_window" if not drafts.is_complete:
            why = done.detail or "The reply was cut off before its end."
            return RunFinished("truncated", "truncated", f"{why}{kept} Ask for the rest.")
        case _:
            return None
