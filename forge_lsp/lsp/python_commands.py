"""forge.sandbox.run."""

import asyncio
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lsprotocol import types

from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.lsp import arguments
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.session import Session, Started

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.runs import Run

MOST_CHARTS_SHOWN = 4
MOST_LINES_SHOWN = 10
MOST_CHARACTERS_SHOWN = 1_000
"""In a message, where the editor can't open the output."""


async def run(
    session: Session, given: arguments.PythonFile, token: types.ProgressToken | None
) -> Started:
    """Run a Python file of the workspace, as it stands in the editor, and show what it gave."""
    from forge_lsp.actions.python import run_python

    workspace = await session.workspace(given.text_document)
    uri = given.text_document.uri if given.text_document else session.active_uri
    path = workspace.path_of(uri) if uri else None
    if uri is None or path is None or not is_python(session, uri):
        raise InvalidRequest(
            "Only a Python file of the workspace can be run.",
            remedy='Name one: {"textDocument": {"uri": "file:///…/chart.py"}}.',
        )
    content = await workspace.read(path)
    if content is None:
        raise NotFound(f"There is no file {path}.", remedy="Save it and try again.")
    try:
        code = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} isn't UTF-8.", remedy="Save it as UTF-8.") from error
    engine = await session.engine(workspace)
    run = await run_python(engine, workspace.project, path, code)
    session.tasks.start(_show_output(session, engine, run), f"show the output of {run.id}")
    return session.follow(engine, run, token)


def is_python(session: Session, uri: str) -> bool:
    """Whether a document is Python, by what the editor says of it or by its name; from memory."""
    document = session.documents.document(uri)
    if document is not None and document.language_id == "python":
        return True
    return PurePosixPath(urlsplit(uri).path).suffix.lower() in (".py", ".pyw")


async def _show_output(session: Session, engine: "Engine", run: "Run") -> None:
    from forge_lsp.actions.python import kept_output

    await run.finished()
    kept = await kept_output(engine, run.id)
    if kept is None:
        return
    client = session.client
    if not client.has_show_document:
        client.show(await _in_words(kept.text, kept.charts))
        return
    # A picture is opened by what shows pictures, which few editors do.
    for chart in kept.charts[:MOST_CHARTS_SHOWN]:
        await client.show_document(chart.as_uri(), external=True)
    if not await client.show_document(kept.text.as_uri(), is_late=True):
        client.show(await _in_words(kept.text, kept.charts))


async def _in_words(text: Path, charts: Sequence[Path]) -> str:
    whole = await asyncio.to_thread(text.read_text, encoding="utf-8")
    lines = whole.splitlines()
    first = plain("\n".join(lines[:MOST_LINES_SHOWN]), MOST_CHARACTERS_SHOWN)
    beside = f" with {len(charts)} chart(s) beside it" if charts else ""
    return f"{first}\n\nThe whole output is in {text}{beside}."
