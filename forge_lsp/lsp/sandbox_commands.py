"""forge.sandbox.* and forge.packages.install."""

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp import events
from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.lsp import arguments
from forge_lsp.lsp.diagnostics import as_answer
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.events import RunFinished
    from forge_lsp.ports.sandbox import Sandbox
    from forge_lsp.runs import Run

OWNER = "owner"
MOST_LOG_LINES = 1_000
MOST_LOG_LINE_CHARACTERS = 2_000


async def create(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> Started:
    """A sandbox for the workspace, filled from it; the living one where there is one."""
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)

    async def work(run: "Run") -> "RunFinished | None":
        def on_stage(message: str) -> None:
            run.tell(events.Stage(message))

        sandbox = await engine.sandboxes.ensure(OWNER, workspace.project, workspace, on_stage)
        await run.append(events.SandboxReady(sandbox.id, sandbox.url))
        return None

    run = await engine.runs.start(
        work, kind="sandbox", title="a sandbox", project=workspace.project
    )
    return session.follow(engine, run, token)


async def status(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Whether the sandbox lives, and where its preview is."""
    del token
    _, _, sandbox = await _find(session, given)
    is_alive = await sandbox.is_alive()
    return {"success": True, "isAlive": is_alive, "sandboxId": sandbox.id, "url": sandbox.url}


async def files(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> dict[str, Any]:
    """What the sandbox holds."""
    del token
    _, _, sandbox = await _find(session, given)
    return {"success": True, "files": list(await sandbox.files())}


async def diagnostics(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> dict[str, Any]:
    """What is wrong in the sandbox; marked in the editor, too."""
    del token
    engine, workspace, sandbox = await _find(session, given)
    preview = session.previews.follow(engine, workspace)
    if preview is not None and preview.sandbox.id == sandbox.id:
        report = await preview.report()
    else:
        # It isn't this workspace's, so neither are its problems.
        report = await sandbox.diagnostics()
    return {"success": True, "sandboxId": sandbox.id, **as_answer(report)}


async def logs(
    session: Session, given: arguments.SandboxLog, token: types.ProgressToken | None
) -> dict[str, Any]:
    """What the dev server and the page said, also of a sandbox that has ended."""
    del token
    _, _, sandbox = await _find(session, given)
    after = max(0, given.after)
    lines = sandbox.logs(after, max(1, min(given.limit, MOST_LOG_LINES)))
    return {
        "success": True,
        "sandboxId": sandbox.id,
        "lines": [
            {
                "seq": line.seq,
                "at": line.at_ms,
                "source": line.source,
                "text": plain(line.text, MOST_LOG_LINE_CHARACTERS),
            }
            for line in lines
        ],
        "last": lines[-1].seq if lines else after,
    }


async def kill(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> dict[str, Any]:
    """End the sandbox named, else the workspace's."""
    del token
    engine, workspace, sandbox = await _find(session, given)
    killed = await engine.sandboxes.kill(OWNER, sandbox.id)
    preview = session.previews.follow(engine, workspace)
    if preview is not None:
        preview.look(())
    return {"success": True, "killed": list(killed)}


async def open_preview(
    session: Session, given: arguments.SandboxNamed, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Show the preview in a browser; the URL in words where the editor can't."""
    del token
    _, _, sandbox = await _find(session, given)
    shown = await session.client.open_preview(sandbox.url)
    return {"success": True, "url": sandbox.url, "shown": shown}


async def install(
    session: Session, given: arguments.Packages, token: types.ProgressToken | None
) -> Started:
    """Into the sandbox named, else the workspace's, and into package.json."""
    if not given.packages:
        raise InvalidRequest("Packages are required.", remedy='Give {"packages": ["clsx"]}.')
    from forge_lsp.actions.apply import install_packages

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    named = given.sandbox_id
    sandbox = _named(engine, named) if named is not None else None
    run = await install_packages(engine, workspace, given.packages, sandbox=sandbox)
    return session.follow(engine, run, token)


async def _find(
    session: Session, given: arguments.SandboxNamed | arguments.SandboxLog
) -> "tuple[Engine, EditorWorkspace, Sandbox]":
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    project = None if given.sandbox_id else workspace.project
    return engine, workspace, _named(engine, given.sandbox_id, project)


def _named(engine: "Engine", sandbox_id: str | None, project: str | None = None) -> "Sandbox":
    try:
        return engine.sandboxes.find(OWNER, sandbox_id, project)
    except NotFound as error:
        raise NotFound(error.message, remedy="Create one with forge.sandbox.create.") from error
