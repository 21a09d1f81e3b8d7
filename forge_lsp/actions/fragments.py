"""Fragments: what was generated, edited from anywhere, with every version kept."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from forge_lsp.actions.conversations import (
    Turn,
    keep_turn,
    new_message_id,
    project_of_folder,
)
from forge_lsp.actions.engine import Engine
from forge_lsp.changes.sets import FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Run


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
    if sandbox is not None:
        await engine.following.own(engine, sandbox.id)
    engine.following.follow(engine, project.id)
    return fragment


async def keep_answer(  # noqa: PLR0917 - Whose run, what it came to, and to what it is an answer.
    engine: Engine,
    run: Run,
    workspace: Workspace,
    account: str,
    changes: Sequence[FileChange],
    turn: Turn,
) -> None:
    """Keep what a run drafted in an editor's workspace as the answer to a message, with its
    fragment where files came of it. Raises `StoreFailed`."""
    now = now_ms()
    project = await project_of_folder(engine, workspace.project, account)
    await engine.store.save_project(replace(project, updated_at=now))
    answer_id, fragment_id = new_message_id(), None
    if changes:
        files = {change.path: change.after for change in changes if change.after is not None}
        sandbox = engine.sandboxes.of_project(project.id)
        title = run.record.title
        fragment = await make_fragment(engine, project, answer_id, title, files, sandbox=sandbox)
        fragment_id = fragment.id
    await keep_turn(engine, run, turn, changes, answer_id=answer_id, fragment_id=fragment_id)
