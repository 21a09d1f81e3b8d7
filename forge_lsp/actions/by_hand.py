"""Finds what somebody changed by hand in a workspace since runs wrote it."""

from collections.abc import Sequence

from forge_lsp.actions.engine import Engine
from forge_lsp.generation.by_hand import HandEdit, differs
from forge_lsp.ports.workspace import Files, Workspace

WRITING_RUNS = ("generate", "edit", "build", "fix", "augmenter")
"""The kinds of runs whose changes a model wrote; all others carry out what somebody else did."""
MOST_COMPARED = 500
"""Files that are read for it, of those that runs wrote."""


async def edits_by_hand(engine: Engine, workspace: Workspace, source: Files) -> Sequence[HandEdit]:
    """The files that aren't as the last accepted change of them by a run left them, by path.

    `source` is where the workspace's files are read. What may not be shown to a model isn't
    among them. Raises `StoreFailed`.
    """
    left = await engine.store.left_files(workspace.project, WRITING_RUNS)
    if not left:
        return ()
    there = frozenset(await source.files())
    edits: list[HandEdit] = []
    for path in sorted(left)[:MOST_COMPARED]:
        if workspace.why_not_writable(path):
            continue
        now = await source.read(path) if path in there else None
        if differs(left[path], now):
            edits.append(HandEdit(path, left[path], now))
    return edits
