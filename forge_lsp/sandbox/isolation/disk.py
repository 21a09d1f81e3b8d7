"""How much room a sandbox's folder takes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.isolation.folders import walk
from forge_lsp.sandbox.isolation.limits import MEBIBYTE
from forge_lsp.sandbox.isolation.memory import descendants

_ENTRY_BYTES = 4096
"""The least that a file or folder counts, so that a flood of empty ones ends too."""
_LOOKS_BETWEEN_WALKS = 60
_BLOCK_BYTES = 512


class DiskWatch:
    """Looks at the room that a folder takes, as rarely as is safe.

    A walk through it costs some 10 ms for every thousand files. Between walks it is enough to
    ask how much room the file system has left, as long as that hardly shrinks.
    """

    def __init__(self, init_pid: int, directory: Path, limit_mb: int) -> None:
        self._init_pid = init_pid
        self._directory = directory
        self._limit_mb = limit_mb
        self._free_at_walk = 0
        self._looks_left = 0

    def excess(self) -> str | None:
        """A sentence for people where the folder takes more room than it may."""
        status = os.statvfs(self._directory)
        free = status.f_bavail * status.f_frsize
        self._looks_left -= 1
        if self._looks_left > 0 and self._free_at_walk - free < self._limit_mb * MEBIBYTE // 8:
            return None
        self._free_at_walk, self._looks_left = free, _LOOKS_BETWEEN_WALKS
        return self._walk()

    def _walk(self) -> str | None:
        limit = self._limit_mb * MEBIBYTE
        total = 0
        try:
            for _, entry in walk(self._directory, lambda _: True):
                total += max(entry.st_blocks * _BLOCK_BYTES, _ENTRY_BYTES)
                if total > limit:
                    break
        except SandboxFailed as error:
            return error.message
        if total + self._unlinked_bytes() <= limit:
            return None
        return f"Its folder took more than {self._limit_mb} MB."

    def _unlinked_bytes(self) -> int:
        """The room of files that were deleted but are still open."""
        device = self._directory.stat().st_dev
        found = {
            status.st_ino: status.st_blocks * _BLOCK_BYTES
            for pid in descendants(self._init_pid)
            for status in _open_files(pid)
            if status.st_nlink == 0 and status.st_dev == device
        }
        return sum(found.values())


def _open_files(pid: int) -> Iterator[os.stat_result]:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    yield status
    except OSError:
        # The process or the file has just gone, or it hides its files from its own user.
        return
