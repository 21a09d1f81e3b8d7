"""Walking folders that hostile code may change at the same time.

Every step goes from an open folder to a name in it, and never through a symbolic link: whatever
is renamed or swapped meanwhile, nothing outside the root is ever opened.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from forge_lsp.errors import SandboxFailed

MAX_DEPTH = 100
"""Each level costs a walk one file descriptor."""

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(root: Path, enters: Callable[[str], bool]) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below `root`, as its relative path and its lstat, in no order.

    Folders whose path `enters` denies are not looked into. Raises `SandboxFailed` for folders
    that are nested too deep or shut to us, because what they hold can't be counted, and where
    `root` is gone.
    """
    try:
        folder = os.open(root, FOLDER_FLAGS)
    except OSError as error:
        raise SandboxFailed("The sandbox's folder can't be opened.") from error
    return _walk(folder, "", 1, enters)


def _walk(
    folder: int, prefix: str, depth: int, enters: Callable[[str], bool]
) -> Iterator[tuple[str, os.stat_result]]:
    """Walk an open folder, and close it."""
    try:
        if depth > MAX_DEPTH:
            raise SandboxFailed(f"The sandbox nests folders more than {MAX_DEPTH} deep.")
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield path, status
                if stat.S_ISDIR(status.st_mode) and enters(path):
                    below = _enter(folder, entry.name, path)
                    if below is not None:
                        yield from _walk(below, path + "/", depth + 1, enters)
    finally:
        os.close(folder)


def _enter(folder: int, name: str, path: str) -> int | None:
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=folder)
    except PermissionError as error:
        raise SandboxFailed(f"The sandbox holds a folder that is shut: {path!a}.") from error
    except OSError:
        # It has just gone, or become something else.
        return None
