"""Apply: given files and packages, into a sandbox and, where there is one, a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp import events
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.packages import PACKAGE_JSON, with_dependencies
from forge_lsp.actions.placing import Placing
from forge_lsp.changes.sets import FileChange
from forge_lsp.errors import InvalidRequest
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run

NOT_INSTALLED = (
    "Not every package was installed. Check their names and the network, then try again."
)


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What is to go where."""

    files: Mapping[ProjectPath, bytes]
    packages: Sequence[str] = ()
    """`name` or `name@range`."""
    sandbox: Sandbox | None = None
    filled_from: Workspace | None = None
    """The workspace that the sandbox is filled from, whether or not that takes the files, too."""
    workspace: Workspace | None = None
    account: str = OWNER
    project: str = ""


async def apply(engine: Engine, request: ApplyRequest) -> Run:
    """Start a run that applies the files; packages go first, and their failure ends nothing.

    Raises `InvalidRequest` where there are no files.
    """
    if not request.files:
        raise InvalidRequest("Files are required")

    async def work(run: Run) -> RunFinished | None:
        return await _carry_out(engine, request, run)

    return await engine.runs.start(
        work,
        kind="apply",
        title=f"Apply {len(request.files)} file(s)",
        project=request.project,
        account=request.account,
    )


async def install_packages(
    engine: Engine,
    workspace: Workspace,
    packages: Sequence[str],
    *,
    sandbox: Sandbox | None = None,
    account: str = OWNER,
) -> Run:
    """Start a run that installs packages in a sandbox, the workspace's own where none is given,
    and lists them in the workspace's package.json. Raises `InvalidRequest` where no package is
    named."""
    if not packages:
        raise InvalidRequest("Packages array is required")

    async def work(run: Run) -> RunFinished | None:
        def on_stage(message: str) -> None:
            run.tell(events.Stage(message))

        into = sandbox or await engine.sandboxes.ensure(
            account, workspace.project, workspace, on_stage
        )
        report = await _placing(engine, run, into, workspace, account).install(packages)
        manifest = await workspace.read(PACKAGE_JSON)
        if manifest is not None and report.installed:
            versions = {package.name: package.version for package in report.installed}
            after = with_dependencies(manifest, versions)
            if after != manifest:
                await engine.reviews.take_over(
                    run, workspace, [FileChange(PACKAGE_JSON, manifest, after)]
                )
        if len(report.installed) < len(packages):
            return RunFinished("failed", "packages_failed", NOT_INSTALLED)
        return None

    return await engine.runs.start(
        work,
        kind="packages",
        title=f"Install {', '.join(packages)}",
        project=workspace.project,
        account=account,
    )


async def _carry_out(engine: Engine, request: ApplyRequest, run: Run) -> RunFinished | None:
    whole = True
    if request.sandbox is not None:
        placing = _placing(engine, run, request.sandbox, request.filled_from, request.account)
        whole = await _into_sandbox(engine, request, placing, run)
    if request.workspace is not None:
        changes = [
            FileChange(path, await request.workspace.read(path), content)
            for path, content in request.files.items()
        ]
        return await engine.reviews.take_over(run, request.workspace, changes)
    if not whole:
        return RunFinished("failed", "not_applied", "Not everything was applied.")
    return None


def _placing(
    engine: Engine, run: Run, sandbox: Sandbox, workspace: Workspace | None, account: str
) -> Placing:
    """A workspace's sandbox that ends is made anew from the workspace, any other from what was
    put into it."""

    def on_stage(message: str) -> None:
        run.tell(events.Stage(message))

    async def get_new() -> Sandbox:
        if workspace is None:
            return await engine.sandboxes.replace(sandbox, on_stage)
        return await engine.sandboxes.ensure(account, workspace.project, workspace, on_stage)

    return Placing(run, sandbox, get_new)


async def _into_sandbox(engine: Engine, request: ApplyRequest, placing: Placing, run: Run) -> bool:
    """Whether all of it is there afterwards."""
    whole = True
    if request.packages:
        report = await placing.install(request.packages)
        whole = len(report.installed) == len(request.packages)
    count = len(request.files)
    await run.append(events.Stage(f"Applying {count} file(s)..."))
    for number, (path, content) in enumerate(request.files.items(), start=1):
        stage = events.Stage(f"Applying {number}/{count}: {path.name}", number, count)
        await run.append(stage)
        applied = await placing.put(path, content)
        await run.append(applied)
        whole &= applied.ok
    engine.sandboxes.remember(placing.sandbox, request.files, request.packages)
    return whole
