"""A run that drafts changes of a workspace: shown in its sandbox at once, kept for review."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from forge_lsp import events
from forge_lsp.actions.applier import SandboxApplier
from forge_lsp.actions.by_hand import edits_by_hand
from forge_lsp.actions.conversations import Turn, current_conversation, project_of_folder
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.fragments import keep_answer
from forge_lsp.actions.packages import PACKAGE_JSON, with_dependencies
from forge_lsp.actions.scaffold import ScaffoldedFiles, is_empty
from forge_lsp.actions.sources import FirstSeen
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import InvalidRequest
from forge_lsp.generation.by_hand import HandEdit, takes_back
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
        self.by_hand: Sequence[HandEdit] = ()
        """What somebody changed in the workspace since runs wrote it."""
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

    async def told_changes(self) -> Sequence[FileChange]:
        """The changes at the run's end, once all that a reviewer has to know of them is told.

        None at all where nothing was drafted.
        """
        if not self.drafts.changes:
            return ()
        changes = await self.changes()
        await self.tell_scaffold(changes)
        await self._tell_taken_back()
        return changes

    async def _tell_taken_back(self) -> None:
        """Tell where the changes go back to what had been there before a change by hand."""
        for edit in self.by_hand:
            change = self.drafts.changes.get(edit.path)
            if change is not None and takes_back(edit, change.after):
                told = (
                    f"{edit.path}: the run takes back some of what was changed by hand there. "
                    "Look at its changes."
                )
                await self.run.append(events.Problem("hand_edit_taken_back", told, edit.path))

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
    turn: Turn | None = None,
) -> AsyncGenerator[Drafting]:
    """Draft changes; what is there at the end, whatever ended it, is kept for review.

    With `looks_first` the sandbox's problems are looked for before the first file is written.
    What `is_accepted` beforehand needs no review: nobody else's files are there, and whoever
    asked keeps the answer. Any other answer is kept as that to `turn`, which is kept even
    without changes; without a turn, changes are kept under the run's title.
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
    if not template:
        work.by_hand = await edits_by_hand(engine, workspace, work.source)
    try:
        async with applier:
            yield work
    finally:
        if not is_accepted:
            await _keep(engine, work, workspace, account, turn)
        elif work.drafts.changes:
            await engine.reviews.take_over(run, workspace, await work.told_changes())


async def _keep(
    engine: Engine, work: Drafting, workspace: Workspace, account: str, turn: Turn | None
) -> None:
    """Keep the answer and, where it changes something, have that reviewed."""
    is_drafted = bool(work.drafts.changes)
    if turn is None and not is_drafted:
        return
    run, changes = work.run, await work.told_changes()
    if turn is None:
        project = await project_of_folder(engine, workspace.project, account)
        turn = Turn(run.record.title, (await current_conversation(engine, project)).id)
    turn.answer = turn.answer or work.drafts.prose
    await keep_answer(engine, run, workspace, account, changes, turn)
    if is_drafted and work.is_whole:
        await engine.reviews.propose(run, workspace, changes)
    elif is_drafted:
        await engine.reviews.keep(run, workspace, changes)


async def _has_sandbox(engine: Engine, workspace: Workspace) -> bool:
    sandbox = engine.sandboxes.of_project(workspace.project)
    return sandbox is not None and await sandbox.is_alive()
