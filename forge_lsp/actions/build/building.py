"""Build: plan, code, review, augment, ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp import events
from forge_lsp.actions.apps import tell_ready
from forge_lsp.actions.augmenters import augment
from forge_lsp.actions.build.coding import Coding
from forge_lsp.actions.build.planning import make_plan
from forge_lsp.actions.build.resuming import Earlier, earlier
from forge_lsp.actions.build.reviewing import review
from forge_lsp.actions.choosing import Chosen
from forge_lsp.actions.context import gather_for_new
from forge_lsp.actions.conversations import Turn, current_conversation, project_of_folder
from forge_lsp.actions.drafting import Drafting, drafting
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.metering import MayGoOn, model_for_run
from forge_lsp.actions.recalling import recall
from forge_lsp.actions.repair import Repair, mend_new
from forge_lsp.actions.request import GenerateRequest, check_prompt, title_of
from forge_lsp.events import Asked, Planned, RunFinished
from forge_lsp.generation.by_hand import told_by_hand
from forge_lsp.generation.plans import plan_context
from forge_lsp.generation.prompts import project_context, system_prompt
from forge_lsp.generation.skills import Skill
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.ports.model import Message, Model, ModelRequest
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run

MOST_NAMED = 5
"""Files that a sentence about missing ones names."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """An app from a prompt."""

    prompt: str
    workspace: Workspace
    """Where it is built: an editor's, to be reviewed, or an app's own."""
    account: str = OWNER
    augmenters: Sequence[Skill] = ()
    """Carried out in this order once the app stands."""
    app: AppRecord | None = None
    """Of a build over HTTP, which needs no review; its files are the workspace."""
    conversation: str | None = None
    """Where a build over HTTP is kept as a turn; one in an editor's workspace is kept in the
    project's current one."""
    model: str | None = None
    """Asked for all but the choice of files; None: whom the settings name."""
    resumes: str = ""
    """The run whose plan and whole files this one goes on from."""
    may_go_on: MayGoOn | None = None
    """Asks whether it may cost more than the settings allow; None: it may not."""


async def build(engine: Engine, request: BuildRequest) -> Run:
    """Start a run that builds the app.

    Raises `InvalidRequest` for a prompt that can't be taken, `NotFound` for a run to be gone on
    from that isn't there, `TooManyRuns`, `StoreFailed`.
    """
    check_prompt(request.prompt, engine.settings.generation.max_prompt_bytes)
    before = await earlier(engine, request.resumes) if request.resumes else Earlier()
    turn = None
    if request.app is None:
        project = await project_of_folder(engine, request.workspace.project, request.account)
        turn = Turn(request.prompt, (await current_conversation(engine, project)).id)

    async def work(run: Run) -> RunFinished | None:
        return await _Build(engine, request, run, before, turn).carry_out()

    return await engine.runs.start(
        work,
        kind="build",
        title=title_of(request.prompt),
        project=request.workspace.project,
        account=request.account,
        asked=Asked(
            prompt=request.prompt,
            augmenters=tuple(each.alias for each in request.augmenters),
            app_id=request.app.id if request.app else "",
            resumes=request.resumes,
        ),
    )


class _Build:
    """One build under way."""

    def __init__(
        self,
        engine: Engine,
        request: BuildRequest,
        run: Run,
        before: Earlier,
        turn: Turn | None,
    ) -> None:
        self._turn = turn
        self._engine = engine
        self._request = request
        self._run = run
        self._before = before
        self._settings = engine.settings

    async def carry_out(self) -> RunFinished | None:
        """All of the steps; gives how it ends."""
        request, run = self._request, self._run
        model = await model_for_run(self._engine, request.may_go_on)
        if request.model is not None:
            model = Chosen(model, request.model)
        for skill in request.augmenters:
            await run.append(events.AugmenterChanged(skill.alias, "queued"))
        async with drafting(
            self._engine,
            run,
            request.workspace,
            request.account,
            looks_first=True,
            is_accepted=request.app is not None,
            turn=self._turn,
        ) as work:
            ending = await self._build(model, work)
            sandbox = await work.applier.drained()
        await self._remember(work)
        if ending is not None:
            return ending
        return await self._ready(sandbox)

    async def _build(self, model: Model, work: Drafting) -> RunFinished | None:
        planned, ask, plan = await self._plan(model, work)
        missing = await self._write(model, work, planned, ask)
        await work.install_needed()
        if missing:
            return _unfinished(missing, planned)
        work.is_whole = True
        await work.tell_scaffold(await work.changes())
        await mend_new(self._engine, model, work)
        sandbox = await work.applier.drained()
        if self._settings.build.review:
            repair = Repair(self._engine, model, work, sandbox) if sandbox else None
            await review(
                model,
                work,
                ask,
                plan,
                repair=repair,
                sandbox=sandbox,
                settings=self._settings.generation,
            )
        for skill in self._request.augmenters:
            await augment(self._engine, model, work, skill, self._request.account)
        return None

    async def _plan(self, model: Model, work: Drafting) -> tuple[Planned, ModelRequest, str]:
        """The plan, what all who write its files are told, and the plan as they are shown it."""
        budget = self._settings.generation.context_tokens
        looked_at = GenerateRequest(self._request.prompt, work.source)
        gathered = await gather_for_new(looked_at, budget_tokens=budget)
        work.drafts.show(gathered.files)
        project = project_context(gathered.files, gathered.all_paths)
        if told := told_by_hand(work.by_hand, self._settings.generation.by_hand_tokens):
            project = f"{project}\n\n{told}"
        planned = self._before.planned
        if planned is None:
            most = self._settings.build.max_files
            planned = await make_plan(
                self._run,
                model,
                self._request.prompt,
                project,
                recent=await self._recent(model),
                most_files=most,
            )
        await self._run.append(planned)
        if self._turn is not None:
            self._turn.answer = planned.summary
        for name in planned.packages:
            work.drafts.packages[name] = None
            await self._run.append(events.PackageNeeded(name))
        plan = plan_context(self._request.prompt, planned)
        has_template = any(path.startswith("vite.config.") for path in gathered.all_paths)
        ask = ModelRequest(
            purpose="code",
            system=system_prompt(
                whole_files=model.info.writes_whole_files,
                has_template=has_template or not gathered.all_paths,
            ),
            context=f"{project}\n\n{plan}",
            messages=(),
        )
        return planned, ask, plan

    async def _recent(self, model: Model) -> Sequence[Message]:
        """What was said before, in the workspace's conversation or in the app's chat."""
        conversation = self._turn.conversation if self._turn else self._request.conversation
        if conversation is None:
            return ()
        return await recall(self._engine, self._run, model, conversation)

    async def _write(
        self, model: Model, work: Drafting, planned: Planned, ask: ModelRequest
    ) -> Sequence[str]:
        await self._take_over(work, self._before.files)
        count = len(planned.manifest)
        await self._run.append(events.Stage(f"Writing {count} file(s)...", 0, count))
        width = self._settings.build.width
        coding = Coding(model, work, planned, ask, self._settings.generation, width=width)
        return await coding.write()

    async def _take_over(self, work: Drafting, files: Mapping[ProjectPath, str]) -> None:
        """What an earlier run had finished is there at once; the template's files it only told."""
        for path, text in files.items():
            if work.template.get(path) != text.encode():
                await work.drafts.propose(path, text)

    async def _ready(self, sandbox: Sandbox | None) -> RunFinished:
        url = sandbox.url if sandbox is not None and await sandbox.is_alive() else ""
        app = self._request.app
        if app is not None:
            await tell_ready(self._engine, app, url)
        return RunFinished("completed", app_id=app.id if app else "", preview_url=url)

    async def _remember(self, work: Drafting) -> None:
        """Store this turn of an app's chat; the files are not repeated in it."""
        if self._request.conversation is None or self._request.app is None:
            return
        names = ", ".join(work.drafts.changes) or "nothing"
        turns = [
            Message("user", self._request.prompt),
            Message("assistant", f"(Built: {names})"),
        ]
        await self._engine.store.add_messages(self._request.conversation, turns)


def _unfinished(missing: Sequence[str], planned: Planned) -> RunFinished:
    named = ", ".join(missing[:MOST_NAMED])
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    told = (
        f"{len(missing)} of {len(planned.manifest)} files were not written: {named}{more}. "
        "The others are kept. Resume the build to have these written."
    )
    return RunFinished("failed", "files_missing", told)
