"""Fragments: what was generated, edited from anywhere, with every version kept."""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from forge_lsp.actions.conversations import (
    Turn,
    current_conversation,
    keep_turn,
    new_message_id,
    project_of_folder,
)
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.sources import GivenFiles
from forge_lsp.changes.sets import FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import (
    Conflict,
    ForgeError,
    NotFound,
    SandboxFailed,
    SandboxGone,
    VersionConflict,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run
from forge_lsp.turns import Turns

log = logging.getLogger(__name__)

_turns = Turns()
"""By fragment: sandbox and database are written by one edit at a time, in the same order."""

Files = Mapping[ProjectPath, bytes | None]
"""By path; None takes the file away."""


@dataclass(frozen=True, slots=True)
class FragmentUpdate:
    """An edit of some of a fragment's files."""

    fragment_id: str
    files: Files
    account: str
    project: str | None = None
    """The project that it must be of; None where that isn't asked."""
    sandbox_id: str | None = None
    """Where to write it, for a fragment that has no sandbox."""
    expected: int | None = None
    """The version that it was made for; None for whichever is the newest."""
    reason: str = "Edited"


class SandboxUnwritable(SandboxFailed):
    """The fragment's sandbox took none of the files, so nothing was kept."""

    code = "sandbox_unwritable"
    remedy = "Try again; the sandbox is made anew where it has ended."


async def fragment_of(
    engine: Engine, account: str, fragment_id: str, project: str | None = None
) -> FragmentRecord:
    """The account's fragment; raises `NotFound`, for another account's or project's alike."""
    found = await engine.store.fragment(fragment_id)
    if found is None or found.account != account or project not in (None, found.project):
        raise NotFound(f"There is no fragment {fragment_id}.")
    return found


async def make_fragment(
    engine: Engine,
    project: ProjectRecord,
    message_id: str,
    title: str,
    files: Mapping[ProjectPath, bytes],
    *,
    sandbox: Sandbox | None = None,
) -> FragmentRecord:
    """Keep what came of a message. Raises `StoreFailed`."""
    now = now_ms()
    fragment = FragmentRecord(
        id=f"frag_{secrets.token_hex(10)}",
        message_id=message_id,
        project=project.id,
        account=project.account,
        title=title,
        version=1,
        created_at=now,
        updated_at=now,
        sandbox_id=sandbox.id if sandbox else None,
        sandbox_url=sandbox.url if sandbox else None,
    )
    await engine.store.add_fragment(fragment, files, "Generated")
    return fragment


async def keep_answer(
    engine: Engine,
    run: Run,
    workspace: Workspace,
    account: str,
    changes: Sequence[FileChange],
    *,
    turn: Turn | None = None,
) -> None:
    """Keep what a run drafted in an editor's workspace as the answer to a message, with its
    fragment where files came of it.

    Without a turn it is one of the project's current conversation. Raises `StoreFailed`.
    """
    now = now_ms()
    project = await project_of_folder(engine, workspace.project, account)
    await engine.store.save_project(replace(project, updated_at=now))
    title = run.record.title
    if turn is None:
        turn = Turn(title, (await current_conversation(engine, project)).id)
    answer_id, fragment_id = new_message_id(), None
    if changes:
        files = {change.path: change.after for change in changes if change.after is not None}
        sandbox = engine.sandboxes.of_project(project.id)
        fragment = await make_fragment(engine, project, answer_id, title, files, sandbox=sandbox)
        fragment_id = fragment.id
    await keep_turn(engine, run, turn, changes, answer_id=answer_id, fragment_id=fragment_id)


async def update_fragment(engine: Engine, update: FragmentUpdate) -> FragmentRecord:
    """Write the files into the sandbox, then merge them into the fragment, then into the
    workspace where that is open in an editor of this process.

    Raises `NotFound`; `Conflict` for a fragment without a sandbox; `VersionConflict`;
    `SandboxUnwritable`, and then nothing is merged; `StoreFailed`.
    """
    async with _turn(update.fragment_id):
        merged = await _merge(engine, update)
    await _take_over(engine, merged, update)
    return merged


async def restore_fragment(
    engine: Engine,
    account: str,
    fragment_id: str,
    version: int,
    *,
    expected: int | None = None,
) -> FragmentRecord:
    """Make the files of a version the newest ones; the versions between stay.

    Raises what `update_fragment` does, and `NotFound` for a version that isn't there.
    """
    async with _turn(fragment_id):
        fragment = await fragment_of(engine, account, fragment_id)
        if not 1 <= version <= fragment.version:
            raise NotFound(f"The fragment {fragment_id} has no version {version}.")
        wanted = await engine.store.fragment_files(fragment_id, version)
        present = await engine.store.fragment_files(fragment_id, fragment.version)
        gone: Files = dict.fromkeys(path for path in present if path not in wanted)
        changed: Files = {
            path: content for path, content in wanted.items() if present.get(path) != content
        }
        update = FragmentUpdate(
            fragment_id,
            {**gone, **changed},
            account,
            expected=fragment.version if expected is None else expected,
            reason=f"Restored version {version}",
        )
        merged = await _merge(engine, update)
    await _take_over(engine, merged, update)
    return merged


def _turn(fragment_id: str) -> asyncio.Lock:
    return _turns.of(fragment_id)


async def _merge(engine: Engine, update: FragmentUpdate) -> FragmentRecord:
    fragment = await fragment_of(engine, update.account, update.fragment_id, update.project)
    if update.expected not in (None, fragment.version):
        raise VersionConflict(f"The fragment {fragment.id} has changed since it was read.")
    sandbox = await _shown_in(engine, fragment, update)
    await _write(sandbox, update.files)
    return await engine.store.merge_fragment(
        fragment.id,
        update.files,
        at=max(now_ms(), fragment.updated_at + 1),
        reason=update.reason,
        expected=update.expected,
    )


async def _shown_in(engine: Engine, fragment: FragmentRecord, update: FragmentUpdate) -> Sandbox:
    """The fragment's living sandbox; one that has ended is made anew and filled.

    Raises `Conflict` where there never was one.
    """
    sandbox_id = fragment.sandbox_id or update.sandbox_id
    if sandbox_id is None:
        raise Conflict("Missing sandbox Id")
    with suppress(NotFound):
        known = engine.sandboxes.find(update.account, sandbox_id)
        if await known.is_alive():
            if fragment.sandbox_id is None:
                await engine.store.tell_sandbox(fragment.id, known.id, known.url)
            return known
    files = GivenFiles(await engine.store.fragment_files(fragment.id))
    workspace = engine.workspaces.get(fragment.project)
    try:
        sandbox = await engine.sandboxes.ensure(
            update.account, fragment.project, workspace or files, log.info
        )
    except ForgeError as error:
        raise SandboxUnwritable(f"The sandbox could not be made anew: {error.message}") from error
    await engine.store.tell_sandbox(fragment.id, sandbox.id, sandbox.url)
    return sandbox


async def _write(sandbox: Sandbox, files: Files) -> None:
    try:
        failed = await sandbox.put(files)
    except (SandboxGone, SandboxFailed) as error:
        raise SandboxUnwritable(f"The sandbox could not be written: {error.message}") from error
    for path, reason in failed.items():
        raise SandboxUnwritable(f"{path} could not be written into the sandbox: {reason}.")


async def _take_over(engine: Engine, fragment: FragmentRecord, update: FragmentUpdate) -> None:
    """The same change in the workspace, where an editor of this process has it open; of a file
    whose change still waits for review, in that."""
    workspace = engine.workspaces.get(fragment.project)
    if workspace is None:
        return
    waiting = await engine.reviews.amend(fragment.project, update.files)
    before = {path: await workspace.read(path) for path in update.files}
    changes = [
        FileChange(path, before[path], content)
        for path, content in update.files.items()
        if path not in waiting and before[path] != content and not workspace.why_not_writable(path)
    ]
    if not changes:
        return

    async def work(run: Run) -> None:
        await engine.reviews.take_over(run, workspace, changes)

    await engine.runs.start(
        work,
        kind="fragment",
        title=f"{update.reason}: {fragment.title}",
        project=fragment.project,
        account=update.account,
    )
