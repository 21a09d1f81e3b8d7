"""Review: what becomes of a finished run's changes, and how to take it back.

The workspace changes only here, and only by the exact bytes that a change set holds.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from forge_lsp import events
from forge_lsp.actions.fragment_sync import note_files
from forge_lsp.actions.placing import put_file
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import ChangedSince, Conflict, NotFound, SandboxGone
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import Workspace, WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import Run, Runs
from forge_lsp.settings import ReviewSettings

REMEMBERED = 50
"""Change sets of a project that are looked through for what is pending or can be undone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a decision is about: everything that is pending, a change set, a file, or a hunk."""

    change_set_id: str | None = None
    path: ProjectPath | None = None
    hunk: int | None = None
    """0-based, among the hunks of the file that are still pending."""


class Reviews:
    """The change sets of this process's projects."""

    def __init__(
        self, store: Store, runs: Runs, sandboxes: Sandboxes, settings: ReviewSettings
    ) -> None:
        self._store = store
        self._runs = runs
        self._sandboxes = sandboxes
        self._settings = settings
        self._pending: dict[str, list[ChangeSet]] = {}
        self._loading = asyncio.Lock()
        self._deciding: dict[str, asyncio.Lock] = {}
        """By project: two decisions on one change set would each undo the other's record."""
        self._listeners: list[Callable[[str], None]] = []

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Have `listener(project)` called whenever what is pending in a project changed."""
        self._listeners.append(listener)

    def pending(self, project: str) -> Sequence[ChangeSet]:
        """What waits for a decision, the newest first; from memory."""
        return tuple(self._pending.get(project, ()))

    async def load(self, project: str) -> None:
        """Take up what an earlier process left pending."""
        async with self._loading:
            if project not in self._pending:
                known = await self._store.change_sets(project, limit=REMEMBERED)
                self._pending[project] = [each for each in known if each.is_pending]
                self._tell(project)

    async def find(self, project: str, change_set_id: str | None) -> ChangeSet:
        """The change set named, else the newest pending one; raises `NotFound`."""
        await self.load(project)
        if change_set_id is not None:
            return await self._read(project, change_set_id)
        for known in self.pending(project):
            latest = await self._read(project, known.id)
            if latest.is_pending:
                return latest
        raise NotFound("Nothing waits for review.")

    async def propose(
        self, run: Run, workspace: Workspace, changes: Sequence[FileChange]
    ) -> ChangeSet:
        """Keep what a run came to; in the mode `auto` it is accepted at once."""
        change_set = await self.keep(run, workspace, changes)
        if self._settings.mode == "auto":
            await self._accept(run, workspace, change_set, Choice())
        return change_set

    async def take_over(
        self, run: Run, workspace: Workspace, changes: Sequence[FileChange]
    ) -> RunFinished | None:
        """Keep a run's changes and make them at once, as somebody asked in so many words."""
        change_set = await self.keep(run, workspace, changes)
        return await self._accept(run, workspace, change_set, Choice())

    async def keep(
        self, run: Run, workspace: Workspace, changes: Sequence[FileChange]
    ) -> ChangeSet:
        """Keep a run's changes for review, whatever the mode."""
        change_set = ChangeSet(
            id=run.id,
            project=workspace.project,
            title=run.record.title,
            created_at=now_ms(),
            files=tuple(changes),
        )
        await self._save(change_set)
        return change_set

    async def amend(
        self, project: str, contents: Mapping[ProjectPath, bytes | None]
    ) -> Collection[ProjectPath]:
        """Let what waits for review be so instead; gives the paths of which a change does.

        The newest change of a file is the one that is amended.
        """
        await self.load(project)
        amended: set[ProjectPath] = set()
        for known in self.pending(project):
            change_set = await self._read(project, known.id)
            for change in change_set.pending:
                if change.path in contents and change.path not in amended:
                    amended.add(change.path)
                    wanted = replace(change, after=contents[change.path])
                    change_set = change_set.with_file(wanted)
            if change_set != known:
                await self._save(change_set)
        return amended

    async def accept(self, workspace: Workspace, choice: Choice) -> Run:
        """Start a run that makes the chosen changes in the workspace."""
        change_set = await self.find(workspace.project, choice.change_set_id)

        async def work(run: Run) -> RunFinished | None:
            async with self._turn(workspace):
                latest = await self.find(workspace.project, change_set.id)
                return await self._accept(run, workspace, latest, choice)

        return await self._start(work, "accept", change_set, workspace)

    async def reject(self, workspace: Workspace, choice: Choice) -> Run:
        """Start a run that gives the chosen changes up; the sandbox goes back too."""
        change_set = await self.find(workspace.project, choice.change_set_id)

        async def work(run: Run) -> RunFinished | None:
            async with self._turn(workspace):
                decided = await self.find(workspace.project, change_set.id)
                for change in _chosen(decided, choice):
                    rejected = change.rejected(choice.hunk)
                    decided = decided.with_file(rejected)
                    await self._show(run, workspace, change.path, rejected.after)
                await self._save(decided)
            return None

        return await self._start(work, "reject", change_set, workspace)

    async def undo(
        self, workspace: Workspace, change_set_id: str | None = None, *, account: str = "owner"
    ) -> Run:
        """Start a run that puts back exactly what an accept found.

        Without an id: the newest change set that was accepted. Raises `NotFound` where there is
        none, `Conflict` where nothing in it was accepted.
        """
        change_set = await self._undoable(workspace.project, change_set_id)

        async def work(run: Run) -> RunFinished | None:
            async with self._turn(workspace):
                latest = await self.find(workspace.project, change_set.id)
                await self._undo(run, workspace, latest)
            return None

        return await self._start(work, "undo", change_set, workspace, account)

    async def _start(
        self,
        work: Callable[[Run], Coroutine[Any, Any, RunFinished | None]],
        kind: str,
        change_set: ChangeSet,
        workspace: Workspace,
        account: str = "owner",
    ) -> Run:
        return await self._runs.start(
            work,
            kind=kind,
            title=change_set.title,
            project=workspace.project,
            account=account,
        )

    async def _accept(
        self, run: Run, workspace: Workspace, change_set: ChangeSet, choice: Choice
    ) -> RunFinished | None:
        changes = _chosen(change_set, choice)
        edits = [
            WorkspaceEdit(change.path, change.before, change.wanted(choice.hunk))
            for change in changes
        ]
        answers = await workspace.apply(f"Forge: {change_set.title}", edits)
        change_set = await self._read(workspace.project, change_set.id)
        for change, answer in zip(changes, answers, strict=True):
            # Another process may have accepted it meanwhile: who made the change knows how to
            # undo it.
            is_made = answer.found != answer.left
            if answer.ok and (is_made or change_set.file(change.path) == change):
                accepted = change.accepted(answer.found, answer.left, choice.hunk)
                change_set = change_set.with_file(accepted)
        # The change set is saved before anybody is told, so that all that is told can be undone.
        await self._save(change_set)
        for change, answer in zip(changes, answers, strict=True):
            await self._tell_applied(run, answer)
            if answer.ok and answer.left != change.wanted(choice.hunk):
                await self._show(run, workspace, change.path, answer.left)
        return _outcome(answers)

    async def _undo(self, run: Run, workspace: Workspace, change_set: ChangeSet) -> None:
        changes = change_set.undoable
        for change in changes:
            if await workspace.read(change.path) != change.undo_from:
                raise ChangedSince(
                    f"{change.path} has changed since, so nothing was undone.",
                    remedy="Take your own changes back first, or undo the file by hand.",
                )
        edits = [WorkspaceEdit(each.path, each.undo_from, each.undo_to) for each in changes]
        answers = await workspace.apply(f"Undo Forge: {change_set.title}", edits)
        for change, answer in zip(changes, answers, strict=True):
            if answer.ok:
                change_set = change_set.with_file(change.undone())
        await self._save(change_set)
        for change, answer in zip(changes, answers, strict=True):
            await self._tell_applied(run, answer)
            if answer.ok:
                await self._show(run, workspace, change.path, change.undo_to)
        failed = [answer for answer in answers if not answer.ok]
        if failed:
            raise ChangedSince(f"{failed[0].path} could not be put back: {failed[0].reason}.")

    async def _undoable(self, project: str, change_set_id: str | None) -> ChangeSet:
        if change_set_id is not None:
            change_set = await self.find(project, change_set_id)
            if not change_set.undoable:
                raise Conflict("Nothing of this change was accepted, so there is nothing to undo.")
            return change_set
        for change_set in await self._store.change_sets(project, limit=REMEMBERED):
            if change_set.undoable:
                return change_set
        raise NotFound("There is nothing to undo.")

    async def _show(
        self, run: Run, workspace: Workspace, path: ProjectPath, content: bytes | None
    ) -> None:
        """Bring the newest fragment, and the sandbox where it lives, to what was decided."""
        await note_files(self._store, workspace.project, {path: content}, "Reviewed")
        sandbox = self._sandboxes.of_project(workspace.project)
        if sandbox is None or not await sandbox.is_alive():
            return
        with suppress(SandboxGone):
            # Whoever needs a sandbox next gets one that is filled from the workspace.
            await run.append(await put_file(sandbox, path, content))

    async def _tell_applied(self, run: Run, answer: WorkspaceAnswer) -> None:
        applied = events.FileApplied(answer.path, "workspace", ok=answer.ok, reason=answer.reason)
        await run.append(applied)

    def _turn(self, workspace: Workspace) -> asyncio.Lock:
        return self._deciding.setdefault(workspace.project, asyncio.Lock())

    async def _read(self, project: str, change_set_id: str) -> ChangeSet:
        """The change set as it is now: another process may have decided on it."""
        found = await self._store.change_set(change_set_id)
        if found is None or found.project != project:
            raise NotFound(f"There is no change {change_set_id} in this project.")
        if self._remember(found):
            self._tell(project)
        return found

    async def _save(self, change_set: ChangeSet) -> None:
        await self.load(change_set.project)
        await self._store.save_change_set(change_set)
        self._remember(change_set)
        self._tell(change_set.project)

    def _remember(self, change_set: ChangeSet) -> bool:
        """Whether what is pending is another than before."""
        known = self._pending.get(change_set.project, [])
        if change_set in known:
            return False
        others = [each for each in known if each.id != change_set.id]
        waiting = [change_set, *others] if change_set.is_pending else others
        waiting.sort(key=lambda each: each.created_at, reverse=True)
        self._pending[change_set.project] = waiting
        return waiting != known

    def _tell(self, project: str) -> None:
        for listener in self._listeners:
            listener(project)


def _chosen(change_set: ChangeSet, choice: Choice) -> Sequence[FileChange]:
    if choice.path is None:
        if not change_set.is_pending:
            raise Conflict("Everything in this change was decided already.")
        return change_set.pending
    change = change_set.file(choice.path)
    if change is None or change.state != "pending":
        raise NotFound(f"No change of {choice.path} waits for review.")
    return (change,)


def _outcome(answers: Sequence[WorkspaceAnswer]) -> RunFinished | None:
    failed = [answer for answer in answers if not answer.ok]
    if not failed:
        return None
    paths: dict[str, list[str]] = {}
    for answer in failed:
        paths.setdefault(answer.reason.removesuffix("."), []).append(answer.path)
    told = "; ".join(f"{', '.join(those)}: {reason}" for reason, those in paths.items())
    return RunFinished("failed", "changed_since", f"Not everything was taken over. {told}.")
