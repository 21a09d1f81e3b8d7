"""One server at a time changes a folder: two editors may have it open, each with its own."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from forge_lsp.errors import Conflict, WorkspaceRefused

TURN_TIMEOUT_S = 20.0
"""Longer than an editor may take to answer."""
LOOK_EVERY_S = 0.02


@asynccontextmanager
async def turn_in(folder: Path) -> AsyncGenerator[None]:
    """Wait until no other server is changing the folder, and keep them waiting meanwhile.

    The folder itself is locked, so nothing is left behind, whatever ends us. Raises `Conflict`
    where another takes too long, `WorkspaceRefused` where the folder is gone.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise WorkspaceRefused(f"The folder {folder} can't be opened: {error.strerror}.") from error
    try:
        await _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


async def _lock(descriptor: int) -> None:
    deadline = asyncio.get_running_loop().time() + TURN_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(
                    "Another editor is changing this folder.", remedy="Try again in a moment."
                ) from None
            await asyncio.sleep(LOOK_EVERY_S)
        except OSError:
            # Not every network's file system can lock; its editors have to take turns themselves.
            return
        else:
            return
