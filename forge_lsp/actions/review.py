"""Review: what becomes of a finished run's changes, and how to take it back.

The workspace changes only here and in `undoing`, and only by the exact bytes that a change set
holds.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from forge_lsp.actions.change_sets import ChangeSets
from forge_lsp.actions.choices import Choice, as_named, as_seen, chosen_of
from forge_lsp.actions.mirrors import Mirrors, tell_applied
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.actions.undoing import NOTHING_TO_RESTORE, NOTHING_TO_UNDO, Undoing
from forge_lsp.changes.merge import merge_files
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.changes.undoing import accepted_again
from forge_lsp.clock import now_ms
from forge_lsp.errors import Conflict, NotFound
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import Workspace, WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import Run, Runs
from forge_lsp.settings import ReviewSettings

RESTORED = "Restore: "
"""How the titles of restores begin."""


class Reviews:
    """Decides on the change sets of this process's projects."""

    def __init__(
        self, store: Store, runs: Runs, sandboxes: Sandboxes, settings: ReviewSettings
    ) -> None:
        self._sets = ChangeSets(store)
        self._runs = runs
        self._mirrors = Mirrors(store, sandboxes)
        self._settings = settings
        self._deciding: dict[str, asyncio.Lock] = {}
        """By project: two decisions on one change set would each undo the other's record."""

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Have `listener(project)` called whenever what is pending in a project changed."""
        self._sets.on_change(listener)

    def pending(self, project: str) -> Sequence[ChangeSet]:
        """What waits for a decision, the newest first; from memory."""
        return self._sets.pending(project)

    def with_pending(
        self, project: str, contents: Mapping[ProjectPath, bytes | None]
    ) -> Mapping[ProjectPath, bytes | None]:
        """A workspace's files as they are shown elsewhere: with what waits for a decision in them.
        From memory."""
        shown = dict(contents)
        for change_set in reversed(self.pending(project)):
            for change in change_set.pending:
                if change.path in shown:
                    shown[change.path] = _shown(change, shown[change.path])
        return shown

    async def load(self, project: str) -> None:
        """Take up what an earlier process left pending."""
        await self._sets.load(project)

    async def find(self, project: str, change_set_id: str | None) -> ChangeSet:
        """The change set named, else the newest pending one; raises `NotFound`."""
        return await self._sets.find(project, change_set_id)

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
            files=await asyncio.to_thread(_counted, changes),
        )
        await self._sets.save(change_set)
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
            change_set = await self._sets.read(project, known.id)
            for change in change_set.pending:
                if change.path in contents and change.path not in amended:
                    amended.add(change.path)
                    wanted = replace(change, after=contents[change.path]).counted()
                    change_set = change_set.with_file(wanted)
            if change_set != known:
                await self._sets.save(change_set)
        return amended

    async def accept(self, workspace: Workspace, choice: Choice) -> Run:
        """Start a run that makes the chosen changes in the workspace."""
        seen = await self.find(workspace.project, choice.change_set_id)
        choice = as_named(choice, seen)

        async def work(run: Run) -> RunFinished | None:
            async with self._turn(workspace):
                latest = await self.find(workspace.project, seen.id)
                return await self._accept(run, workspace, latest, as_seen(choice, seen, latest))

        return await self._start(work, "accept", seen.title, workspace)

    async def reject(self, workspace: Workspace, choice: Choice) -> Run:
        """Start a run that gives the chosen changes up; fragment and sandbox go back too."""
        seen = await self.find(workspace.project, choice.change_set_id)
        choice = as_named(choice, seen)

        async def work(run: Run) -> RunFinished | None:
            async with self._turn(workspace):
                decided = await self.find(workspace.project, seen.id)
                chosen = as_seen(choice, seen, decided)
                shown: dict[ProjectPath, bytes | None] = {}
                for change in chosen_of(decided, chosen):
                    rejected = change.rejected(chosen.hunk)
                    decided = decided.with_file(rejected)
                    shown[change.path] = await workspace.read(change.path)
                await self._sets.save(decided)
                for path, content in self.with_pending(workspace.project, shown).items():
                    await self._mirrors.show(run, workspace.project, path, content)
            return None

        return await self._start(work, "reject", seen.title, workspace)

    async def undo(
        self, workspace: Workspace, change_set_id: str | None = None, *, account: str = "owner"
    ) -> Run:
        """Start a run that takes back what was accepted of a change set, exactly where nobody
        changed the file since; later changes stay where they merge.

        Without an id: the change set that was accepted last. Raises `NotFound` where there is
        none, `Conflict` where nothing in it was accepted.
        """
        change_set = await self._undoable(workspace.project, change_set_id)

        async def work(run: Run) -> None:
            async with self._turn(workspace):
                await self._undoing(run, workspace).undo(change_set.id)

        return await self._start(work, "undo", change_set.title, workspace, account)

    async def restore(self, workspace: Workspace, change_set_id: str) -> Run:
        """Start a run that makes the workspace as it was right after a change set was accepted.

        It makes a change set of its own, so that it can be undone. Raises `NotFound` where there
        is no such change set, `Conflict` where nothing in it was accepted.
        """
        change_set = await self.find(workspace.project, change_set_id)
        if not change_set.undoable:
            raise Conflict(NOTHING_TO_RESTORE)

        async def work(run: Run) -> None:
            async with self._turn(workspace):
                await self._undoing(run, workspace).restore(change_set.id)

        title = f"{RESTORED}{change_set.title.removeprefix(RESTORED)}"
        return await self._start(work, "restore", title, workspace)

    async def _start(
        self,
        work: Callable[[Run], Coroutine[Any, Any, RunFinished | None]],
        kind: str,
        title: str,
        workspace: Workspace,
        account: str = "owner",
    ) -> Run:
        return await self._runs.start(
            work, kind=kind, title=title, project=workspace.project, account=account
        )

    async def _accept(
        self, run: Run, workspace: Workspace, change_set: ChangeSet, choice: Choice
    ) -> RunFinished | None:
        changes = chosen_of(change_set, choice)
        edits = [
            WorkspaceEdit(change.path, change.before, change.wanted(choice.hunk), change_set.id)
            for change in changes
        ]
        answers = await workspace.apply(f"Forge: {change_set.title}", edits)
        # The change set is saved before anybody is told, so that all that is told can be undone.
        while not await self._note_accepted(workspace, change_set.id, changes, answers, choice):
            pass
        for change, answer in zip(changes, answers, strict=True):
            await tell_applied(run, answer)
            # The sandbox may have been made anew since the change was proposed; not so where a run
            # accepts its own, whose files may belong to a fragment that is still to be made.
            is_there = run.id == change_set.id and answer.left == change.wanted(choice.hunk)
            if answer.ok and not is_there:
                shown = self.with_pending(workspace.project, {change.path: answer.left})
                await self._mirrors.show(run, workspace.project, change.path, shown[change.path])
        return _outcome(answers)

    async def _note_accepted(
        self,
        workspace: Workspace,
        change_set_id: str,
        changes: Sequence[FileChange],
        answers: Sequence[WorkspaceAnswer],
        choice: Choice,
    ) -> bool:
        """Take down what was made; False where another process has decided meanwhile."""
        latest = change_set = await self._sets.read(workspace.project, change_set_id)
        when = await self._sets.time_to_accept(workspace.project)
        others: dict[str, ChangeSet] = {}
        for change, answer in zip(changes, answers, strict=True):
            # Another process may have accepted it: who made the change knows how to undo it.
            is_made = answer.found != answer.left
            if answer.ok and (is_made or change_set.file(change.path) == change):
                others |= await self._moved_before(change_set, change, answer.found, others)
                accepted = change.accepted(answer.found, answer.left, choice.hunk, at=when)
                change_set = change_set.with_file(accepted)
        return await self._sets.save(change_set, *others.values(), expected=latest)

    async def _moved_before(
        self,
        change_set: ChangeSet,
        change: FileChange,
        found: bytes | None,
        known: Mapping[str, ChangeSet],
    ) -> Mapping[str, ChangeSet]:
        """What was accepted since an earlier hunk of the change was, as if it hadn't been yet."""
        if not change.can_undo:
            return {}
        since = await self._sets.accepted(change_set.project, after=change.accepted_at or 0)
        latest = [known.get(each.id, each) for each in since]
        return {each.id: each for each in accepted_again(change, found, latest, change_set.id)}

    async def _undoable(self, project: str, change_set_id: str | None) -> ChangeSet:
        if change_set_id is not None:
            change_set = await self.find(project, change_set_id)
            if not change_set.undoable:
                raise Conflict(NOTHING_TO_UNDO)
            return change_set
        last = await self._sets.last_accepted(project)
        if last is None:
            raise NotFound("There is nothing to undo.")
        return last

    def _undoing(self, run: Run, workspace: Workspace) -> Undoing:
        return Undoing(self._sets, self._mirrors, run, workspace)

    def _turn(self, workspace: Workspace) -> asyncio.Lock:
        return self._deciding.setdefault(workspace.project, asyncio.Lock())


def _counted(changes: Sequence[FileChange]) -> tuple[FileChange, ...]:
    return tuple(change.counted() for change in changes)


def _shown(change: FileChange, found: bytes | None) -> bytes | None:
    """What a file is shown as elsewhere, that holds `found` in the workspace: with what is still
    to be decided, as far as that merges."""
    merged = merge_files(change.before, found, change.after)
    return found if merged is None else merged.content


def _outcome(answers: Sequence[WorkspaceAnswer]) -> RunFinished | None:
    failed = [answer for answer in answers if not answer.ok]
    if not failed:
        return None
    paths: dict[str, list[str]] = {}
    for answer in failed:
        paths.setdefault(answer.reason.removesuffix("."), []).append(answer.path)
    told = "; ".join(f"{', '.join(those)}: {reason}" for reason, those in paths.items())
    return RunFinished("failed", "changed_since", f"Not everything was taken over. {told}.")
