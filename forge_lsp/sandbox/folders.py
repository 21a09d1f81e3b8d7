"""The folders that sandboxes live in, and how they are made and taken away."""

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from forge_lsp.errors import SandboxFailed

log = logging.getLogger(__name__)

_LOCK = ".lock"
_MODE = 0o711
"""The user that sandboxes run as may pass through, and sees no other sandbox's name."""


class ServerFolder:
    """Where the sandboxes of this one server are.

    The server holds a lock in it for as long as it lives, however it ends; a folder whose lock
    nobody holds is a dead server's, and goes. Unlike a process id, a lock is never mistaken for
    another's, also between containers.
    """

    def __init__(self, path: Path, lock: int, stale: Sequence[Path]) -> None:
        self.path = path
        self.stale = stale
        """Folders of servers that are dead, for `remove_tree`."""
        self._lock = lock

    @classmethod
    def claim(cls, root: Path) -> Self:
        """Make a new one under `root`; raises `SandboxFailed` where that can't be written."""
        try:
            root.mkdir(mode=_MODE, parents=True, exist_ok=True)
            with _held(root / _LOCK):
                stale = [each for each in root.iterdir() if each.is_dir() and _is_abandoned(each)]
                path = root / f"server_{secrets.token_hex(8)}"
                path.mkdir(mode=_MODE)
                lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise SandboxFailed(f"{root} can't be written: {error.strerror}.") from error
        return cls(path, lock, stale)

    async def close(self) -> None:
        """Remove it with all that is in it; nothing may run in there any more."""
        await remove_tree(self.path)
        os.close(self._lock)


async def copy_tree(source: Path, target: Path) -> None:
    """Copy with owners and times, sharing blocks where the file system can.

    Raises `SandboxFailed`, for example where the disk is full; the caller removes what is left.
    """
    # Not hard links: a write in the copy would change the original.
    code, said = await _run("cp", "-a", "--reflink=auto", "-T", str(source), str(target))
    if code:
        raise SandboxFailed(
            f"The sandbox's folder could not be made: {said[-200:].strip()}",
            remedy=f"Check that there is room on the disk of {target.parent}.",
        )


async def remove_tree(place: Path) -> None:
    """Remove a folder that a sandbox wrote; nothing may run in it any more.

    Its folders may be shut, and nested deeper than Python can follow, so `rm` does it, which
    like `chmod -R` follows no symbolic link on its way.
    """
    code, _ = await _run("rm", "-rf", "--", str(place))
    if code:
        await _run("chmod", "-R", "u+rwx", "--", str(place))
        code, said = await _run("rm", "-rf", "--", str(place))
        if code:
            log.warning("%s could not be removed: %s", place, said[-200:].strip())


@contextmanager
def _held(lock: Path) -> Generator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # It is half removed, or somebody else's.
        return os.access(folder, os.W_OK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


async def _run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"LC_ALL": "C", "PATH": os.defpath},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")
