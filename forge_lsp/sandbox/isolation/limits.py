"""What a sandbox may use."""

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1024 * 1024

_OPEN_FILES = 4096
_FILE_BYTES = 512 * MEBIBYTE
_DATA_BYTES = 4096 * MEBIBYTE
_COUNTS_BY_NAMESPACE = (5, 14)
"""The kernel from which RLIMIT_NPROC counts for each user namespace by itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use."""

    memory_mb: int
    """Of all its processes together, shared pages counted once."""
    disk_mb: int
    """Of its folder."""
    processes: int
    """Processes and threads."""


def resource_limits(limits: Limits, uid: int) -> Mapping[int, int]:
    """What `setrlimit` gets, by resource, for each process of a sandbox that `uid` runs.

    RLIMIT_AS stays open: Node reserves far more than it uses.
    """
    return {
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _FILE_BYTES,
        resource.RLIMIT_DATA: _DATA_BYTES,
        resource.RLIMIT_NPROC: limits.processes + _counted_already(uid),
    }


def _counted_already(uid: int) -> int:
    """Threads that an older kernel counts against the sandbox: all that its user runs."""
    major, minor = (int(part) for part in os.uname().release.split(".")[:2])
    if (major, minor) >= _COUNTS_BY_NAMESPACE:
        return 0
    return sum(_threads(entry, uid) for entry in Path("/proc").glob("[0-9]*"))


def _threads(process: Path, uid: int) -> int:
    try:
        if process.stat().st_uid != uid:
            return 0
        return sum(1 for _ in (process / "task").iterdir())
    except OSError:
        # It has just ended.
        return 0
