"""Augmenters: a skill that changes an app, wholly or not at all, and never for the worse."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from forge_lsp import events
from forge_lsp.actions.augmenting import OUTCOMES, Augmenting, drafted_files, settle
from forge_lsp.actions.drafting import Drafting, drafting
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.metering import MayGoOn, model_for_run
from forge_lsp.actions.sources import FirstSeen
from forge_lsp.errors import Conflict, ForgeError, InvalidRequest
from forge_lsp.events import RunFinished
from forge_lsp.generation.skills import Skill, args_text
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Model
from forge_lsp.ports.workspace import Files, Workspace
from forge_lsp.runs import Run


@dataclass(frozen=True, slots=True)
class AugmenterRequest:
    """A change of a project by an augmenter."""

    skill: Skill
    workspace: Workspace
    account: str = OWNER
    dry_run: bool = False
    """Only tell what would be changed."""
    force: bool = False
    """Also change files of which a change waits for review."""
    args: object = None
    """Any JSON value."""
    is_accepted: bool = False
    """Nobody has to review it: the files are an app's own."""
    may_go_on: MayGoOn | None = None
    """Asks whether it may cost more than the settings allow; None: it may not."""


async def run_augmenter(engine: Engine, request: AugmenterRequest) -> Run:
    """Start a run in which an augmenter changes the project; what it changes waits for review.

    Raises `InvalidRequest` for a critique and for arguments that are no JSON or too long;
    `TooManyRuns`, `StoreFailed`.
    """
    skill = request.skill
    if skill.kind != "augmenter":
        raise InvalidRequest(
            f"{skill.alias} is no augmenter: it changes nothing.", remedy="Run it as a skill."
        )
    args = args_text(request.args)

    async def work(run: Run) -> RunFinished | None:
        await run.append(events.AugmenterChanged(skill.alias, "queued"))
        model = await model_for_run(engine, request.may_go_on)
        task = Augmenting(engine, model, run, skill, args)
        if request.dry_run:
            return await _rehearse(task, request)
        return await _carry_out(task, request)

    return await engine.runs.start(
        work,
        kind="augmenter_dry_run" if request.dry_run else "augmenter",
        title=skill.title,
        project=request.workspace.project,
        account=request.account,
    )


async def augment(engine: Engine, model: Model, work: Drafting, skill: Skill, account: str) -> None:
    """Carry an augmenter out within a run that goes on, whatever becomes of it.

    It says itself how far it is; where it fails, every file is as it was. Raises `StoreFailed`,
    and nothing else that is explained.
    """
    del account  # It changes what the run drafts, which is somebody's already.
    task = Augmenting(engine, model, work.run, skill, is_part=True)

    async def attempt() -> str:
        drafts = work.drafts.another()
        await task.write(_apart(drafts), await drafted_files(task, work))
        return await settle(task, work, drafts)

    await _tell(task, attempt)


class _Careful(Drafts):
    """Drafts that leave alone what waits for review."""

    def __init__(
        self, run: Run, source: Files, workspace: Workspace, waiting: Mapping[str, str]
    ) -> None:
        """`waiting` are the titles of the changes, by path."""
        super().__init__(run, source, workspace)
        self._waiting = waiting

    async def propose(self, path: ProjectPath, text: str | None) -> bool:
        """Raises `Conflict` for a file of which a change waits for review."""
        if path in self._waiting:
            raise Conflict(
                f"A change of {path} waits for review ({self._waiting[path]}), "
                "so nothing was changed.",
                remedy="Decide on it first, or use force.",
            )
        return await super().propose(path, text)


async def _carry_out(task: Augmenting, request: AugmenterRequest) -> RunFinished | None:
    engine, run, workspace = task.engine, task.run, request.workspace
    waiting = await _waiting(engine, request)
    async with drafting(
        engine,
        run,
        workspace,
        request.account,
        looks_first=False,
        is_accepted=request.is_accepted,
    ) as work:

        async def attempt() -> str:
            drafts = _Careful(run, work.source, workspace, waiting)
            await task.write(drafts, await task.gather(work.source))
            return await settle(task, work, drafts)

        last = await _tell(task, attempt)
        work.is_whole = last is None
    return last


async def _rehearse(task: Augmenting, request: AugmenterRequest) -> RunFinished | None:
    """Tell each file as it would be; the sandbox isn't asked, and nothing is kept."""
    run, source = task.run, FirstSeen(request.workspace)
    await run.append(events.AugmenterChanged(task.skill.alias, "started"))
    drafts = Drafts(run, source, request.workspace)
    try:
        await task.write(drafts, await task.gather(source))
    except ForgeError as error:
        return await _tell_failure(task, error)
    for name in drafts.packages:
        await run.append(events.PackageNeeded(name))
    waiting = await _waiting(task.engine, request)
    for path in drafts.changes:
        if path in waiting:
            told = f"A change of {path} waits for review, so this needs force."
            await run.append(events.Problem(Conflict.code, told, path))
    return None


async def _waiting(engine: Engine, request: AugmenterRequest) -> Mapping[str, str]:
    """By path, the titles of the changes that wait for review and are to be left alone."""
    if request.force:
        return {}
    project = request.workspace.project
    await engine.reviews.load(project)
    return {
        str(change.path): change_set.title
        for change_set in reversed(engine.reviews.pending(project))
        for change in change_set.pending
    }


async def _tell(task: Augmenting, attempt: Callable[[], Awaitable[str]]) -> RunFinished | None:
    """Carry it out, and say how far it is; gives how that ended, None for well."""
    alias = task.skill.alias
    await task.run.append(events.AugmenterChanged(alias, "started"))
    try:
        said = await attempt()
    except ForgeError as error:
        return await _tell_failure(task, error)
    await task.run.append(events.AugmenterChanged(alias, "applied", said))
    return None


async def _tell_failure(task: Augmenting, error: ForgeError) -> RunFinished:
    if error.code == "store_failed":
        # The journal can't be written, so nobody can be told.
        raise error
    told = error.for_people()
    await task.run.append(events.AugmenterChanged(task.skill.alias, "failed", told))
    return RunFinished(OUTCOMES.get(error.code, "failed"), error.code, told)


def _apart(drafts: Drafts) -> Drafts:
    """What comes of it stays in these drafts, until all of it is there."""
    drafts.sink = None
    drafts.changes, drafts.packages = dict(drafts.changes), dict(drafts.packages)
    return drafts
