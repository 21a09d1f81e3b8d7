"""forge.fix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import InvalidRequest
from forge_lsp.lsp import arguments
from forge_lsp.lsp.diagnostics import as_problem
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from forge_lsp.ports.sandbox import SandboxDiagnostic


async def fix(session: Session, given: arguments.Fix, token: types.ProgressToken | None) -> Started:
    """Mend the diagnostics given, whoever found them, else all that the sandbox finds."""
    from forge_lsp.actions.fix import FixRequest
    from forge_lsp.actions.fix import fix as start

    workspace = await session.workspace(given.text_document)
    problems = _problems(session, workspace, given)
    engine = await session.engine(workspace)
    request = FixRequest(workspace, problems, may_go_on=session.client.may_go_on)
    run = await start(engine, request)
    return session.follow(engine, run, token)


def _problems(
    session: Session, workspace: EditorWorkspace, given: arguments.Fix
) -> "Sequence[SandboxDiagnostic]":
    if not given.diagnostics:
        return ()
    path = given.text_document and workspace.path_of(given.text_document.uri)
    if not path:
        raise InvalidRequest(
            "The file that has the diagnostics isn't part of the workspace.",
            remedy='Name it: {"textDocument": {"uri": "file:///…"}, "diagnostics": […]}.',
        )
    marks = session.previews.marks(workspace.uri_of(path))
    return [as_problem(workspace, path, each, marks) for each in given.diagnostics]
