"""Takes accepted change sets back, in any order, and goes back to any of them.

All of it happens or nothing: files are written only once it is known that every one merges, and
put back where the editor leaves one of them out.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from forge_lsp.actions.change_sets import ChangeSets
from forge_lsp.actions.mirrors import Mirrors, tell_applied
from forge_lsp.changes import undoing
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import ChangedSince, Conflict
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.workspace import Workspace, WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import Run

NOTHING_TO_UNDO = "Nothing of this change was accepted, so there is nothing to undo."
NOTHING_TO_RESTORE = "Nothing of this change was accepted, so there is nothing to go back to."
IS_SO_ALREADY = "The workspace is as it was then already."

_Contents = Mapping[ProjectPath, bytes | None]


@dataclass(frozen=True, slots=True)
class Undoing:
    """One run that takes something back, and where."""

    sets: ChangeSets
    mirrors: Mirrors
    run: Run
    workspace: Workspace

    async def undo(self, change_set_id: str) -> None:
        """Take a change set back; what came later stays where it merges.

        Raises `ChangedSince`, which names the file, where it doesn't; `Conflict` where there is
        nothing to be taken back.
        """
        change_set = await self.sets.find(self.workspace.project, change_set_id)
        if not change_set.undoable:
            raise Conflict(NOTHING_TO_UNDO)
        accepted = await self._accepted_since(change_set)
        found = await self._read([change.path for change in change_set.undoable])
        plan = undoing.undo(change_set, accepted, found)
        answers = await self._write(f"Undo Forge: {change_set.title}", plan.targets, found)
        await self.sets.save(*await self._kept(change_set, plan, found))
        await self._tell(answers)

    async def restore(self, change_set_id: str) -> None:
        """Make the workspace as it was right after the last accept in a change set.

        What that takes back stays accepted: the way back is a change set of this run's own.
        Raises as `undo` does.
        """
        wanted = await self.sets.find(self.workspace.project, change_set_id)
        at = wanted.accepted_at
        if at is None:
            raise Conflict(NOTHING_TO_RESTORE)
        accepted = await self.sets.accepted(self.workspace.project, after=at)
        later = undoing.after(at, accepted)
        found = await self._read(list({change.path: None for change, _ in later}))
        targets = undoing.restore(at, accepted, found)
        if not targets:
            raise Conflict(IS_SO_ALREADY)
        way_back = ChangeSet(
            id=self.run.id,
            project=self.workspace.project,
            title=self.run.record.title,
            created_at=now_ms(),
            files=tuple(FileChange(path, found[path], targets[path]).counted() for path in targets),
        )
        await self.sets.save(way_back)
        try:
            answers = await self._write(f"Forge: {way_back.title}", targets, found)
        except ChangedSince:
            files = tuple(change.rejected() for change in way_back.files)
            await self.sets.save(replace(way_back, files=files))
            raise
        when = await self.sets.time_to_accept(self.workspace.project)
        files = tuple(
            change.accepted(answer.found, answer.left, at=when)
            for change, answer in zip(way_back.files, answers, strict=True)
        )
        await self.sets.save(replace(way_back, files=files))
        await self._tell(answers)

    async def _accepted_since(self, change_set: ChangeSet) -> Sequence[ChangeSet]:
        first = min(change.accepted_at or 0 for change in change_set.undoable)
        return await self.sets.accepted(self.workspace.project, after=first)

    async def _kept(
        self, change_set: ChangeSet, plan: undoing.Undo, found: _Contents
    ) -> Sequence[ChangeSet]:
        """The change sets as they are afterwards. Another process may have decided on some while
        the editor was at work: what it kept isn't written over."""
        accepted = await self._accepted_since(change_set)
        with suppress(ChangedSince):
            plan = undoing.undo(change_set, accepted, found)
            return [plan.undone, *plan.later]
        return [plan.undone]

    async def _read(self, paths: Sequence[ProjectPath]) -> _Contents:
        return {path: await self.workspace.read(path) for path in paths}

    async def _write(
        self, label: str, targets: _Contents, found: _Contents
    ) -> Sequence[WorkspaceAnswer]:
        """Write all files; raises `ChangedSince` where one can't be, and then none is."""
        edits = [
            WorkspaceEdit(path, found[path], content, self.run.id)
            for path, content in targets.items()
        ]
        answers = await self.workspace.apply(label, edits)
        failed = next((answer for answer in answers if not answer.ok), None)
        if failed is None:
            return answers
        back = [
            WorkspaceEdit(answer.path, answer.left, answer.found, self.run.id)
            for answer in answers
            if answer.ok and answer.left != answer.found
        ]
        left = [each.path for each in await self.workspace.apply(label, back) if not each.ok]
        for answer in answers:
            if not answer.ok or answer.path in left:
                await tell_applied(self.run, answer)
        told = f"{failed.path} could not be put back: {failed.reason.removesuffix('.')}"
        if left:
            names = ", ".join(left)
            raise ChangedSince(f"{told}; {names} could not be left as it was either.")
        raise ChangedSince(f"{told}. Nothing was changed.")

    async def _tell(self, answers: Sequence[WorkspaceAnswer]) -> None:
        for answer in answers:
            await tell_applied(self.run, answer)
        for answer in answers:
            await self.mirrors.show(self.run, self.workspace.project, answer.path, answer.left)
