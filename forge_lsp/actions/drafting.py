"""A run that drafts changes of a workspace: shown in its sandbox at once, kept for review."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from forge_lsp import events
from forge_lsp.actions.applier import SandboxApplier
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.fragments import keep_answer
from forge_lsp.actions.packages import PACKAGE_JSON, with_dependencies
from forge_lsp.actions.scaffold import ScaffoldedFiles, is_empty
from forge_lsp.actions.sources import FirstSeen
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import InvalidRequest
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run


class Drafting:
    """What such a run works with; made by `drafting`."""

    def __init__(
        self,
        run: Run,
        workspace: Workspace,
        template: Mapping[ProjectPath, bytes],
        applier: SandboxApplier,
    ) -> None:
        self.run = run
        self.is_whole = False
        """All that was asked for is there: the changes may be accepted without a person."""
        self._found = FirstSeen(workspace)
        self.source = ScaffoldedFiles(self._found, template)
        """The workspace as the run found it, with the template laid under an empty one."""
        self.drafts = Drafts(run, self.source, workspace)
        self.drafts.sink = self.applier = applier
        self.template = template
        """What was laid under an empty workspace; nothing under any other."""
        self._workspace = workspace
        self._installed: set[str] = set()
        self._told: set[ProjectPath] = set()

    async def install_needed(self) -> None:
        """Install what the code has come to need, and list in package.json what it lacks."""
        needed = [name for name in self.drafts.packages if name not in self._installed]
        report = await self.applier.install(needed) if needed else None
        if report is None:
            return
        self._installed.update(needed)
        manifest = await self._content(PACKAGE_JSON)
        if manifest is None:
            return
        versions = {package.name: package.version for package in report.installed}
        try:
            text = as_text(with_dependencies(manifest, versions))
        except InvalidRequest as error:
            problem = events.Problem(error.code, error.for_people(), PACKAGE_JSON)
            await self.run.append(problem)
            return
        if text is not None and text != as_text(manifest):
            await self.drafts.propose(PACKAGE_JSON, text)

    async def changes(self) -> Sequence[FileChange]:
        """The changes as they are against what was found, the template's files included."""
        drafted = {path: change.after for path, change in self.drafts.changes.items()}
        changes: list[FileChange] = []
        for path, content in {**self.template, **drafted}.items():
            before = await self._found.read(path)
            is_kept = before is not None and path not in drafted
            if before != content and not is_kept and not self._workspace.why_not_writable(path):
                changes.append(FileChange(path, before, content))
        return changes

    async def tell_scaffold(self, changes: Sequence[FileChange]) -> None:
        """Tell of the template's files, which no model wrote; of each once."""
        for change in changes:
            path = change.path
            is_new = path not in self.drafts.changes and path not in self._told
            if is_new and change.after is not None:
                self._told.add(path)
                text = change.after.decode("utf-8", "replace")
                await self.run.append(events.FileFinished(change.path, text))

    async def _content(self, path: ProjectPath) -> bytes | None:
        # The model may have changed the file itself.
        drafted = self.drafts.changes.get(path)
        return drafted.after if drafted else await self.source.read(path)


@asynccontextmanager
async def drafting(
    engine: Engine,
    run: Run,
    workspace: Workspace,
    account: str,
    *,
    looks_first: bool,
    is_accepted: bool = False,
) -> AsyncGenerator[Drafting]:
    """Draft changes; what is there at the end, whatever ended it, is kept for review.

    With `looks_first` the sandbox's problems are looked for before the first file is written.
    What `is_accepted` beforehand needs no review: nobody else's files are there.
    """
    template: Mapping[ProjectPath, bytes] = {}
    if is_empty(await workspace.files()):
        template = await (await engine.sandboxes.provider.get()).template()

    def on_stage(message: str) -> None:
        run.tell(events.Stage(message))

    async def get_sandbox() -> Sandbox:
        return await engine.sandboxes.ensure(account, workspace.project, workspace, on_stage)

    is_fresh = bool(template) and not await _has_sandbox(engine, workspace)
    applier = SandboxApplier(run, get_sandbox, looks_first=looks_first and not is_fresh)
    if is_fresh:
        # It will be made of the template, in which nothing is wrong.
        applier.found_before = ()
    work = Drafting(run, workspace, template, applier)
    try:
        async with applier:
            yield work
    finally:
        if work.drafts.changes:
            changes = await work.changes()
            await work.tell_scaffold(changes)
            if not is_accepted:
                await keep_answer(engine, run, workspace, account, changes)
            if is_accepted:
                await engine.reviews.take_over(run, workspace, changes)
            elif work.is_whole:
                await engine.reviews.propose(run, workspace, changes)
            else:
                await engine.reviews.keep(run, workspace, changes)


async def _has_sandbox(engine: Engine, workspace: Workspace) -> bool:
    sandbox = engine.sandboxes.of_project(workspace.project)
    return sandbox is not None and await sandbox.is_alive()
