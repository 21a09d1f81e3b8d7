"""Brings an edit of a fragment into the workspace that is open here, and asks where it can't."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forge_lsp.actions.fragment_sync import Contents, Known, note_files
from forge_lsp.actions.lacking import BRINGING, TAKEN_OVER, WAITING, EditElsewhere
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import Conflict, ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine

log = logging.getLogger(__name__)

ASK_NOBODY = frozenset({BRINGING, "apply", "packages"})
"""Kinds of runs that make their changes in the workspace at once."""
MOST_CHANGE_SETS = 50
"""Of a project, the newest first, in which something may wait for review."""

Edits = Mapping[ProjectPath, EditElsewhere]


async def bring(
    engine: "Engine",
    fragment: FragmentRecord,
    workspace: Workspace,
    edits: Edits,
    upto: int,
) -> None:
    """Make the edits in the workspace by a run, and wait for its end.

    What collides with what somebody made there isn't made: it waits for review, as the change
    that it would be. `upto` is the fragment's version that the edits lead to. Raises `Conflict`
    where the run failed, and what `Runs.start` raises.
    """
    clean: list[FileChange] = []
    colliding: list[ProjectPath] = []
    for path, edit in edits.items():
        ours = await workspace.read(path)
        combined = edit.combined(ours)
        if combined.collides:
            colliding.append(path)
        elif combined.content != ours:
            clean.append(FileChange(path, ours, combined.content))
    if not clean and not colliding:
        return

    is_done = False

    async def work(run: Run) -> None:
        nonlocal is_done
        record = run.record
        change_set = ChangeSet(run.id, workspace.project, record.title, record.started_at, ())
        if clean:
            # What could not be made, for whatever reason, waits for review afterwards.
            try:
                await engine.reviews.take_over(run, workspace, clean)
            except ForgeError as error:
                log.warning("an edit could not be made in a workspace: %s", error.message)
            change_set = await engine.reviews.find(workspace.project, run.id)
        left = [*colliding, *(change.path for change in change_set.pending)]
        made = [change.path for change in clean if change.path not in left]
        merged = {path: await workspace.read(path) for path in made}
        known = engine.following.known
        known = Known({**known.taken, fragment.id: upto}, known.own)
        await _hold(engine, workspace.project, merged, TAKEN_OVER, known)
        if left:
            wanted = {path: edits[path] for path in left}
            proposed = await _lay_open(engine, workspace, change_set, wanted)
            await _hold(engine, workspace.project, proposed, WAITING, known)
            engine.following.tell_collided(workspace.project, run.id, list(proposed))
        is_done = True

    run = await engine.runs.start(
        work,
        kind=BRINGING,
        title=f"Edited elsewhere: {fragment.title}",
        project=workspace.project,
        account=fragment.account,
        is_due=True,
    )
    await run.finished()
    if not is_done and (record := await engine.store.run(run.id)) and record.outcome == "failed":
        raise Conflict(f"The run {run.id} could not bring an edit to {workspace.project}.")


async def proposed_files(engine: "Engine", project: str) -> Mapping[ProjectPath, bytes | None]:
    """What waits for review, by whichever process it was proposed, as it is to be."""
    proposed: dict[ProjectPath, bytes | None] = {}
    for known in await engine.store.change_sets(project, limit=MOST_CHANGE_SETS):
        if known.is_pending and not await _is_being_made(engine, known):
            change_set = await engine.reviews.find(project, known.id)
            for change in change_set.pending:
                proposed.setdefault(change.path, change.after)
    return proposed


async def _is_being_made(engine: "Engine", change_set: ChangeSet) -> bool:
    """Whether it waits for its own run alone, which asks nobody."""
    run = await engine.store.run(change_set.id)
    return run is not None and run.ended_at is None and run.kind in ASK_NOBODY


async def _lay_open(
    engine: "Engine", workspace: Workspace, change_set: ChangeSet, edits: Edits
) -> Contents:
    """Let them wait for review as what they would change now; gives what they would make."""
    files = {change.path: change for change in change_set.files}
    for path, edit in edits.items():
        ours = await workspace.read(path)
        wanted = edit.combined(ours).content
        files[path] = FileChange(path, ours, wanted, "rejected" if wanted == ours else "pending")
    await engine.store.save_change_set(
        ChangeSet(
            change_set.id,
            change_set.project,
            change_set.title,
            change_set.created_at,
            tuple(files.values()),
        )
    )
    kept = await engine.reviews.find(change_set.project, change_set.id)
    return {change.path: change.after for change in kept.pending}


async def _hold(
    engine: "Engine", project: str, contents: Contents, reason: str, known: Known
) -> None:
    """Have the fragment and the sandbox hold the files so, as they do after a review."""
    if not contents:
        return
    stands = await note_files(engine.store, project, contents, reason, known)
    sandbox = engine.sandboxes.of_project(project)
    if sandbox is not None and await sandbox.is_alive():
        await sandbox.put({**contents, **stands})
