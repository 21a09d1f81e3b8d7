"""Generate and edit: from a prompt to whole files, in the sandbox at once, pending review."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from forge_lsp import events
from forge_lsp.actions.applier import SandboxApplier
from forge_lsp.actions.context import Gathered, gather_for_edit, gather_for_new
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.packages import PACKAGE_JSON, install, with_dependencies
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.scaffold import ScaffoldedFiles, is_empty
from forge_lsp.actions.sources import FirstSeen
from forge_lsp.actions.writing import Writing
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import InvalidRequest
from forge_lsp.events import RunFinished
from forge_lsp.generation.prompts import project_context, request_text, system_prompt
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run


async def generate(engine: Engine, request: GenerateRequest) -> Run:
    """Start a run that carries out the request.

    Raises `InvalidRequest` for a prompt that can't be taken, `TooManyRuns`, `StoreFailed`.
    """
    request.check(engine.settings.generation.max_prompt_bytes)

    async def work(run: Run) -> RunFinished | None:
        return await _carry_out(engine, request, run)

    return await engine.runs.start(
        work,
        kind="edit" if request.is_edit else "generate",
        title=request.title,
        project=request.project,
        account=request.account,
    )


async def _carry_out(engine: Engine, request: GenerateRequest, run: Run) -> RunFinished | None:
    await run.append(events.Stage(_first_stage(engine)))
    model = await engine.model.get()
    if request.workspace is None:
        drafts = Drafts(run, request.source)
        done = await _write(engine, request, run, model, drafts)
    else:
        drafts, done = await _write_into(engine, request, request.workspace, run, model)
    await _remember(engine, request, drafts)
    return _ending(done, drafts)


def _first_stage(engine: Engine) -> str:
    if engine.settings.provider != "demo":
        return "Analyzing request..."
    return (
        "Analyzing request... (demo model: its answers are prepared; "
        "set ANTHROPIC_API_KEY for Claude's own)"
    )


async def _write(
    engine: Engine, request: GenerateRequest, run: Run, model: Model, drafts: Drafts
) -> ModelDone:
    """Ask the model and take the files out of its reply."""
    settings = engine.settings.generation
    if request.is_edit:
        gathered = await gather_for_edit(run, model, request, budget_tokens=settings.context_tokens)
    else:
        gathered = await gather_for_new(request, budget_tokens=settings.context_tokens)
    drafts.shown = {file.path for file in gathered.files}
    drafts.partial = gathered.partial
    await run.append(events.Stage("Generating..."))
    recent = await _recent(engine, request)
    ask = _model_request(request, gathered, recent, whole_files=model.info.writes_whole_files)
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
    found = FirstSeen(workspace)
    template: Mapping[ProjectPath, bytes] = {}
    if is_empty(await workspace.files()):
        template = await (await engine.sandboxes.provider.get()).template()
    request = replace(request, source=ScaffoldedFiles(found, template))

    def on_stage(message: str) -> None:
        run.tell(events.Stage(message))

    async def get_sandbox() -> Sandbox:
        return await engine.sandboxes.ensure(request.account, request.project, workspace, on_stage)

    keep = engine.reviews.keep
    drafts = Drafts(run, request.source, workspace)
    try:
        async with SandboxApplier(run, get_sandbox) as applier:
            drafts.sink = applier
            done = await _write(engine, request, run, model, drafts)
            sandbox = await applier.drained()
            if sandbox is not None and drafts.packages:
                await _install(run, sandbox, drafts, request)
        if _ending(done, drafts) is None:
            keep = engine.reviews.propose
    finally:
        if drafts.changes:
            changes = await _against(workspace, found, drafts, template)
            await _scaffold(run, drafts, changes)
            await keep(run, workspace, changes)
    return drafts, done


async def _install(run: Run, sandbox: Sandbox, drafts: Drafts, request: GenerateRequest) -> None:
    """Install what the code needs, and list in package.json what it doesn't list yet."""
    report = await install(run, sandbox, list(drafts.packages))
    # The model may have changed package.json itself.
    written = drafts.changes.get(PACKAGE_JSON)
    manifest = written.after if written else await request.source.read(PACKAGE_JSON)
    if manifest is None:
        return
    versions = {package.name: package.version for package in report.installed}
    try:
        text = as_text(with_dependencies(manifest, versions))
    except InvalidRequest as error:
        await run.append(events.Problem(error.code, error.for_people(), PACKAGE_JSON))
        return
    if text is not None and text != as_text(manifest):
        await drafts.propose(PACKAGE_JSON, text)


async def _against(
    workspace: Workspace,
    found: FirstSeen,
    drafts: Drafts,
    template: Mapping[ProjectPath, bytes],
) -> Sequence[FileChange]:
    """The changes as they are against what was found, the template's files included."""
    after = {**template, **{path: change.after for path, change in drafts.changes.items()}}
    changes: list[FileChange] = []
    for path, content in after.items():
        before = await found.read(path)
        is_kept = before is not None and path not in drafts.changes
        if before != content and not is_kept and not workspace.why_not_writable(path):
            changes.append(FileChange(path, before, content))
    return changes


async def _scaffold(run: Run, drafts: Drafts, changes: Sequence[FileChange]) -> None:
    """Tell of the template's files, which no model wrote."""
    for change in changes:
        if change.path not in drafts.changes and change.after is not None:
            text = change.after.decode("utf-8", "replace")
            await run.append(events.FileFinished(change.path, text))


async def _recent(engine: Engine, request: GenerateRequest) -> Sequence[Message]:
    """The earlier turns: those that came along, else the stored conversation's last ones."""
    limit = engine.settings.generation.recent_messages
    if request.recent or request.conversation is None:
        return request.recent[-limit:] if limit else ()
    return await engine.store.messages(request.conversation, limit=limit) if limit else ()


async def _remember(engine: Engine, request: GenerateRequest, drafts: Drafts) -> None:
    """Store this turn; the files themselves are not repeated in it."""
    if request.conversation is None:
        return
    told = drafts.prose.strip()
    names = ", ".join(drafts.changes)
    answer = f"{told}\n\n(Changed: {names})" if names else told
    turns = [Message("user", request.prompt), Message("assistant", answer.strip() or "(nothing)")]
    await engine.store.add_messages(request.conversation, turns)


def _model_request(
    request: GenerateRequest,
    gathered: Gathered,
    recent: Sequence[Message],
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
