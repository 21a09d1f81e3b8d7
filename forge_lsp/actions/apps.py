"""Apps that are built over HTTP: their files are kept in the store, not in a folder."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from forge_lsp.actions.engine import Engine
from forge_lsp.changes.merge import merge
from forge_lsp.clock import now_ms
from forge_lsp.errors import Gone, NotFound, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import Workspace, WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import Run
from forge_lsp.turns import Turns

TEMPLATE = "vite-react-ts"
ROLLBACK_WITHIN_MS = 24 * 60 * 60 * 1000

_turns = Turns()
"""By app: two who write at once would each undo the other's."""


@dataclass(frozen=True, slots=True)
class AppWorkspace:
    """An app's files as a workspace that nobody types into."""

    app_id: str
    store: Store
    turn: asyncio.Lock

    @property
    def project(self) -> str:
        """The app's id."""
        return self.app_id

    async def files(self) -> Sequence[ProjectPath]:
        """All of them, sorted."""
        return list(await self.store.app_files(self.app_id))

    async def read(self, path: ProjectPath) -> bytes | None:
        """As the store has it."""
        return (await self.store.app_files(self.app_id)).get(path)

    def why_not_writable(self, path: ProjectPath) -> str:
        """Everything that a path can name may be written."""
        del path
        return ""

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        """Write the files; one that has changed since is merged where that is clean."""
        del label
        async with self.turn:
            there = await self.store.app_files(self.app_id)
            answers = [_answered(edit, there.get(edit.path)) for edit in edits]
            written = {each.path: each.left for each in answers if each.ok}
            await self.store.put_app_files(self.app_id, written)
        return answers


def _answered(edit: WorkspaceEdit, found: bytes | None) -> WorkspaceAnswer:
    if found in (edit.before, edit.after):
        return WorkspaceAnswer(edit.path, ok=True, found=found, left=edit.after)
    merged = None
    if edit.before is not None and found is not None and edit.after is not None:
        merged = merge(edit.before, found, edit.after)
    if merged is None:
        why = "it has changed since"
        return WorkspaceAnswer(edit.path, ok=False, reason=why, found=found, left=found)
    return WorkspaceAnswer(edit.path, ok=True, found=found, left=merged)


async def new_app(
    engine: Engine, account: str, prompt: str, template: str | None, chat_id: str | None
) -> AppRecord:
    """Keep a new app that is still to be built. Raises `StoreFailed`."""
    now = now_ms()
    app_id = f"app_{secrets.token_hex(10)}"
    app = AppRecord(
        id=app_id,
        account=account,
        chat_id=chat_id or f"chat_{secrets.token_hex(10)}",
        workspace_id=app_id,
        prompt=prompt,
        template=template or TEMPLATE,
        status="draft",
        created_at=now,
        updated_at=now,
    )
    await engine.store.save_app(app)
    return app


async def app_of(engine: Engine, account: str, app_id: str) -> AppRecord:
    """The account's app; raises `NotFound`, for others' too."""
    app = await engine.store.app(app_id)
    if app is None or app.account != account:
        raise NotFound(f"There is no app {app_id}.")
    return app


async def app_of_chat(engine: Engine, account: str, chat_id: str) -> AppRecord:
    """The app that is changed in the account's conversation; raises `NotFound`."""
    app = await engine.store.app_of_chat(chat_id)
    if app is None or app.account != account:
        raise NotFound(f"There is no chat {chat_id}.")
    return app


def app_workspace(engine: Engine, app: AppRecord) -> Workspace:
    """The app's files, to be built in."""
    return AppWorkspace(app.id, engine.store, _turn(app))


async def tell_ready(engine: Engine, app: AppRecord, preview_url: str) -> None:
    """The app stands, and its preview answers there."""
    ready = replace(app, status="ready", preview_url=preview_url or None, updated_at=now_ms())
    await engine.store.save_app(ready)


async def write_files(
    engine: Engine, app: AppRecord, files: Mapping[ProjectPath, bytes | None]
) -> None:
    """Write files into the app's sandbox, where one lives, and into the app.

    Of two who write at once the one who comes last is right, in the app as in its sandbox.
    Raises `NotFound` for an app that was removed meanwhile, and `SandboxFailed` where its sandbox
    won't take a file: then the app keeps what it had.
    """
    async with _turn(app):
        latest = await app_of(engine, app.account, app.id)
        sandbox = engine.sandboxes.of_project(app.id)
        if sandbox is not None and await sandbox.is_alive():
            with suppress(SandboxGone):
                # The next one is filled from the app.
                for path, reason in (await sandbox.put(files)).items():
                    raise SandboxFailed(f"{path} could not be written into the sandbox: {reason}")
        await engine.store.put_app_files(app.id, files)
        await engine.store.save_app(replace(latest, updated_at=now_ms()))


async def fork(engine: Engine, app: AppRecord) -> AppRecord:
    """Another app with the same files and a conversation of its own."""
    copy = await new_app(engine, app.account, app.prompt, app.template, None)
    await engine.store.put_app_files(copy.id, await engine.store.app_files(app.id))
    forked = replace(copy, status="draft" if app.status == "draft" else "ready")
    await engine.store.save_app(forked)
    return forked


async def delete(engine: Engine, app: AppRecord) -> None:
    """Remove the app with its files, and end its sandbox."""
    sandbox = engine.sandboxes.of_project(app.id)
    if sandbox is not None and await sandbox.is_alive():
        await sandbox.kill()
    await engine.store.delete_app(app.id)


async def rollback(engine: Engine, account: str, run_id: str) -> Run:
    """Start a run that puts back what a run changed: in an app, or in a workspace that is open in
    an editor of this process; and in the sandbox.

    Raises `NotFound` for a run that isn't the account's or changed neither, `Gone` after 24 h,
    `Conflict` where nothing of it is there to be put back. A file that has changed since
    in the same lines ends the run as failed, with the code `changed_since`.
    """
    record = await engine.runs.record(run_id)
    if record.account != account:
        raise NotFound(f"There is no run {run_id}.")
    workspace = engine.workspaces.get(record.project)
    if workspace is None:
        app = await engine.store.app(record.project)
        if app is None or app.account != account:
            raise NotFound(
                f"The run {run_id} changed no app that is still there, and no workspace that is "
                "open here."
            )
        workspace = app_workspace(engine, app)
    if now_ms() - (record.ended_at or now_ms()) > ROLLBACK_WITHIN_MS:
        raise Gone(f"The run {run_id} ended more than 24 hours ago.")
    return await engine.reviews.undo(workspace, run_id, account=account)


def _turn(app: AppRecord) -> asyncio.Lock:
    return _turns.of(app.id)
