"""Edits of fragments, from anywhere: into the sandbox, the fragment, and what waits for review.

Whoever has the project's workspace open, this process too, follows the fragment and brings the
edit there; so does who has its sandbox, where that is another process.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from forge_lsp.actions.bringing import proposed_files
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.followed import is_elsewhere
from forge_lsp.actions.fragments import fragment_of
from forge_lsp.actions.lacking import MERGED, EditElsewhere
from forge_lsp.actions.sources import GivenFiles
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
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.sandbox import Sandbox

log = logging.getLogger(__name__)

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


async def update_fragment(engine: Engine, update: FragmentUpdate) -> FragmentRecord:
    """Write the files into the sandbox, then merge them into the fragment, then into what waits
    for review. A sandbox that another process has, and workspaces, get them right afterwards.

    Raises `NotFound`; `Conflict` for a fragment without a sandbox; `VersionConflict`;
    `SandboxUnwritable`, and then nothing is merged; `StoreFailed`.
    """
    async with engine.following.turns.of(update.fragment_id):
        return await _merge(engine, update)


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
    async with engine.following.turns.of(fragment_id):
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
        return await _merge(engine, update)


async def _merge(engine: Engine, update: FragmentUpdate) -> FragmentRecord:
    fragment = await fragment_of(engine, update.account, update.fragment_id, update.project)
    if update.expected not in (None, fragment.version):
        raise VersionConflict(f"The fragment {fragment.id} has changed since it was read.")
    sandbox = await _shown_in(engine, fragment, update)
    if sandbox is not None:
        await _write(sandbox, update.files)
    # What waits for review is amended here, so that it is once, whoever has it before them; and
    # first, as those who follow look at it when they hear of the version.
    proposed = await proposed_files(engine, fragment.project)
    amended = await _amend(engine, fragment, update.files, proposed)
    try:
        merged = await engine.store.merge_fragment(
            fragment.id,
            update.files,
            at=max(now_ms(), fragment.updated_at + 1),
            reason=update.reason,
            expected=update.expected,
        )
    except ForgeError:
        await engine.reviews.amend(fragment.project, {path: proposed[path] for path in amended})
        raise
    if sandbox is not None:
        engine.following.written.add((merged.id, merged.version))
    await _join(engine, merged, amended)
    engine.following.follow(engine, merged.project)
    return merged


async def _amend(engine: Engine, fragment: FragmentRecord, files: Files, proposed: Files) -> Files:
    """What of it waits for review is so from now on.

    An edit of what an older answer wrote goes together with what a newer one proposes; where it
    doesn't, it waits until that is decided on.
    """
    waiting = {path: content for path, content in files.items() if path in proposed}
    newest = await engine.store.newest_fragment(fragment.project)
    if waiting and newest is not None and newest.id != fragment.id:
        before = await engine.store.fragment_files(fragment.id, fragment.version)
        both = {
            path: EditElsewhere((before.get(path),), content).combined(proposed[path])
            for path, content in waiting.items()
        }
        waiting = {path: each.content for path, each in both.items() if not each.collides}
    if waiting:
        await engine.reviews.amend(fragment.project, waiting)
    return waiting


async def _join(engine: Engine, merged: FragmentRecord, amended: Files) -> None:
    """The newest fragment holds what waits for review, where an older one was edited."""
    newest = await engine.store.newest_fragment(merged.project)
    if amended and newest is not None and newest.id != merged.id:
        at = max(now_ms(), newest.updated_at + 1)
        await engine.store.merge_fragment(newest.id, amended, at=at, reason=MERGED)


async def _shown_in(
    engine: Engine, fragment: FragmentRecord, update: FragmentUpdate
) -> Sandbox | None:
    """The fragment's living sandbox; one that has ended is made anew and filled. None where
    another process has it, which puts there what it finds in the fragment.

    Raises `Conflict` where there never was one.
    """
    sandbox_id = fragment.sandbox_id or update.sandbox_id
    if sandbox_id is None:
        raise Conflict("Missing sandbox Id")
    known = _own(engine, update.account, sandbox_id)
    if known is not None and await known.is_alive():
        if fragment.sandbox_id is None:
            await _tell(engine, fragment, known)
        return known
    if known is None and fragment.sandbox_id and await is_elsewhere(engine, sandbox_id):
        return None
    files = GivenFiles(await engine.store.fragment_files(fragment.id))
    workspace = engine.workspaces.get(fragment.project)
    try:
        sandbox = await engine.sandboxes.ensure(
            update.account, fragment.project, workspace or files, log.info
        )
    except ForgeError as error:
        raise SandboxUnwritable(f"The sandbox could not be made anew: {error.message}") from error
    await _tell(engine, fragment, sandbox)
    # What waits for review is shown, too, and a workspace has nothing of it.
    if workspace and (proposed := await proposed_files(engine, fragment.project)):
        await _write(sandbox, proposed)
    return sandbox


def _own(engine: Engine, account: str, sandbox_id: str) -> Sandbox | None:
    try:
        return engine.sandboxes.find(account, sandbox_id)
    except NotFound:
        return None


async def _tell(engine: Engine, fragment: FragmentRecord, sandbox: Sandbox) -> None:
    """Let everybody know that the fragment is shown there, and that it is this process's."""
    await engine.following.own(engine, sandbox.id)
    await engine.store.tell_sandbox(fragment.id, sandbox.id, sandbox.url)


async def _write(sandbox: Sandbox, files: Files) -> None:
    try:
        failed = await sandbox.put(files)
    except (SandboxGone, SandboxFailed) as error:
        raise SandboxUnwritable(f"The sandbox could not be written: {error.message}") from error
    for path, reason in failed.items():
        raise SandboxUnwritable(f"{path} could not be written into the sandbox: {reason}.")
