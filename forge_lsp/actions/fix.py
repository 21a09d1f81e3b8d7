"""Fix: the problems of a workspace's app, those that are named or all that the sandbox has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from forge_lsp import events
from forge_lsp.actions.drafting import drafting
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.looking import sayable
from forge_lsp.actions.metering import MayGoOn, model_for_run
from forge_lsp.actions.repair import Problems, Repair, tell_left
from forge_lsp.errors import SandboxFailed
from forge_lsp.events import RunFinished
from forge_lsp.generation.problems import new_errors
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run


@dataclass(frozen=True, slots=True)
class FixRequest:
    """What is to be mended; no problems at all means those that the sandbox has."""

    workspace: Workspace
    problems: Sequence[SandboxDiagnostic] = ()
    account: str = OWNER
    may_go_on: MayGoOn | None = None
    """Asks whether it may cost more than the settings allow; None: it may not."""

    @property
    def title(self) -> str:
        """Short, for people."""
        if len(self.problems) == 1:
            line = self.problems[0].message.strip().partition("\n")[0]
            return line if len(line) <= 72 else f"{line[:71]}…"
        return f"{len(self.problems)} problems" if self.problems else "All problems of the preview"


async def fix(engine: Engine, request: FixRequest) -> Run:
    """Start a run that mends problems; what it changes waits for review, as any other change.

    Raises `TooManyRuns`, `StoreFailed`.
    """

    request = replace(request, problems=tuple(map(sayable, request.problems)))

    async def work(run: Run) -> RunFinished | None:
        return await _carry_out(engine, request, run)

    return await engine.runs.start(
        work,
        kind="fix",
        title=request.title,
        project=request.workspace.project,
        account=request.account,
    )


async def _carry_out(engine: Engine, request: FixRequest, run: Run) -> RunFinished | None:
    await run.append(events.Stage("Looking at the app..."))
    model = await model_for_run(engine, request.may_go_on)
    async with drafting(engine, run, request.workspace, request.account, looks_first=True) as work:
        sandbox = await work.applier.drained()
        found = work.applier.found_before
        if sandbox is None or found is None:
            raise SandboxFailed(
                "Nothing was mended: without a sandbox nobody can tell whether it helped.",
                remedy="Run `forge-lsp doctor`, which says what is missing.",
            )
        wanted, known = _divided(request.problems, found)
        if not wanted:
            await run.append(events.Stage("There is nothing to mend."))
            return None
        left = await Repair(engine, model, work, sandbox).mend(wanted, known)
        work.is_whole = not left
        if left:
            await tell_left(work, left)
            count = len(left)
            told = f"{count} problem(s) are left. Look at what was tried, or say what to do."
            return RunFinished("failed", "not_mended", told)
    return None


def _divided(named: Problems, found: Problems) -> tuple[Problems, Problems]:
    """What is to be mended, and what is there beside it.

    A problem that the sandbox doesn't see itself, as a linter's, is mended in one go: whether it
    is gone only its finder can tell.
    """
    if not named:
        return new_errors((), found), ()
    return named, new_errors(named, found)
