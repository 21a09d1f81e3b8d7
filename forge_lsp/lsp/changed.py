"""Which files changed, where an editor or the system only tells of their folders."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forge_lsp.errors import ForgeError
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.ports.sandbox import Sandbox

log = logging.getLogger(__name__)


async def everything_changed(
    workspace: EditorWorkspace,
    changed: Sequence[ProjectPath],
    held: Collection[ProjectPath],
    sandbox: "Sandbox | None",
) -> Sequence[ProjectPath]:
    """`changed` with the files of folders that came or were moved here in their place, and with
    those that a fragment or the sandbox holds of folders that have gone."""
    folders, gone = await asyncio.to_thread(_kinds, workspace, changed)
    if not folders and not gone:
        return changed
    came = await workspace.files() if folders else ()
    went = {*held, *await _files_of(sandbox)} if gone else set[ProjectPath]()
    within = [*_within(came, folders), *sorted(_within(went, gone))]
    listed = [path for path in changed if path not in folders]
    return list(dict.fromkeys([*listed, *within]))


def _kinds(workspace: EditorWorkspace, changed: Sequence[ProjectPath]) -> tuple[set[str], set[str]]:
    """Those that are folders now, and those that are nothing."""
    folders: set[str] = set()
    gone: set[str] = set()
    for path in changed:
        place = Path(workspace.root, path)
        if place.is_symlink() or place.is_file():
            continue
        (folders if place.is_dir() else gone).add(path)
    return folders, gone


def _within(paths: Collection[ProjectPath], folders: Collection[str]) -> list[ProjectPath]:
    return [path for path in paths if _is_within(path, folders)]


def _is_within(path: str, folders: Collection[str]) -> bool:
    while path := path.rpartition("/")[0]:
        if path in folders:
            return True
    return False


async def _files_of(sandbox: "Sandbox | None") -> Sequence[ProjectPath]:
    try:
        return await sandbox.files() if sandbox else ()
    except ForgeError as error:
        log.info("what a sandbox holds is not known: %s", error.message)
        return ()
