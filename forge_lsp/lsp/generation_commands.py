"""forge.generate, forge.edit, forge.apply."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.actions.request import Selection
    from forge_lsp.ports.sandbox import Sandbox

OWNER = "owner"
HOW_TO_ASK = (
    'Give it as {"prompt": "add a reset button"}, or write the comment '
    "`forge: add a reset button` into a file and take its code action."
)


async def generate(
    session: Session, given: arguments.Prompt, token: types.ProgressToken | None
) -> Started:
    """New code from a prompt."""
    return await _write(session, given, token, is_edit=False)


async def edit(
    session: Session, given: arguments.Prompt, token: types.ProgressToken | None
) -> Started:
    """A change of what exists."""
    return await _write(session, given, token, is_edit=True)


async def apply_files(
    session: Session, given: arguments.Apply, token: types.ProgressToken | None
) -> Started:
    """Given files, into the workspace, its sandbox, or both."""
    from forge_lsp.actions.apply import ApplyRequest, apply

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    files = _contents(given) or await _of_fragment(engine, given.fragment_id)
    request = ApplyRequest(
        files=files,
        packages=given.packages,
        sandbox=None if given.target == "workspace" else await _sandbox(engine, workspace, given),
        filled_from=workspace,
        workspace=None if given.target == "sandbox" else workspace,
        project=workspace.project,
    )
    return session.follow(engine, await apply(engine, request), token)


async def _write(
    session: Session,
    given: arguments.Prompt,
    token: types.ProgressToken | None,
    *,
    is_edit: bool,
) -> Started:
    if not given.prompt.strip():
        raise InvalidRequest("Prompt is required.", remedy=HOW_TO_ASK)
    from forge_lsp.actions.generate import generate as start
    from forge_lsp.actions.request import GenerateRequest

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    request = GenerateRequest(
        prompt=given.prompt.encode("utf-8", "replace").decode(),
        source=workspace,
        is_edit=is_edit,
        first=_first(workspace, given),
        selection=selected(workspace, given.text_document, given.range),
        workspace=workspace,
        project=workspace.project,
        may_go_on=session.client.may_go_on,
    )
    return session.follow(engine, await start(engine, request), token)


def _first(workspace: EditorWorkspace, given: arguments.Prompt) -> Sequence[ProjectPath]:
    """The files that matter for certain: those named, and the active document."""
    active = given.text_document and workspace.path_of(given.text_document.uri)
    named = [ProjectPath.parse(path) for path in given.files]
    return [*dict.fromkeys([*named, *([active] if active else [])])]


def selected(
    workspace: EditorWorkspace, named: arguments.Document | None, place: arguments.Range | None
) -> "Selection | None":
    """The selected text; None where the range is empty or its document isn't open."""
    from forge_lsp.actions.request import Selection

    path = named and workspace.path_of(named.uri)
    document = workspace.document(path) if path else None
    if not path or not document or not place:
        return None
    start, end = place.start, place.end
    text = document.text_in_client_range(
        types.Range(
            types.Position(start.line, start.character), types.Position(end.line, end.character)
        )
    )
    return Selection(path, text) if text.strip() else None


def _contents(given: arguments.Apply) -> Mapping[ProjectPath, bytes]:
    files = given.files
    pairs = (
        files.items() if isinstance(files, dict) else [(each.path, each.content) for each in files]
    )
    return {ProjectPath.parse(path): text.encode("utf-8", "replace") for path, text in pairs}


async def _of_fragment(engine: "Engine", fragment_id: str | None) -> Mapping[ProjectPath, bytes]:
    """The files of a fragment; none where none is named."""
    if fragment_id is None:
        return {}
    from forge_lsp.actions.fragments import fragment_of

    fragment = await fragment_of(engine, OWNER, fragment_id)
    return await engine.store.fragment_files(fragment.id)


async def _sandbox(
    engine: "Engine", workspace: EditorWorkspace, given: arguments.Apply
) -> "Sandbox | None":
    """The workspace's living sandbox; to do without one is refused only where it alone is meant."""
    sandbox = engine.sandboxes.of_project(workspace.project)
    if sandbox is not None and await sandbox.is_alive():
        sandbox.renew()
        return sandbox
    if given.target == "sandbox":
        raise NotFound("No active sandbox.", remedy="Create one with forge.sandbox.create.")
    return None
