"""How much memory a sandbox's processes hold, all together."""

import os
from collections.abc import Iterator
from pathlib import Path

from forge_lsp.sandbox.isolation.limits import MEBIBYTE

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def memory_excess(init_pid: int, limit_mb: int) -> str | None:
    """A sentence for people where `init_pid` and its descendants hold more than they may.

    Their resident pages are counted first, which is cheap and never too little. Only where that
    is too much are pages that they share divided among them, which walks the page tables.
    """
    limit = limit_mb * MEBIBYTE
    pids = list(descendants(init_pid))
    if sum(map(_resident_bytes, pids)) <= limit:
        return None
    if sum(map(_proportional_bytes, pids)) <= limit:
        return None
    return f"It used more than {limit_mb} MB of memory."


def descendants(pid: int) -> Iterator[int]:
    """`pid` and all below it. Orphans of a sandbox go to its init process, so they are here."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        # It has just ended.
        return
    for thread in threads:
        for child in _read(thread / "children").split():
            yield from descendants(int(child))


def _resident_bytes(pid: int) -> int:
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * _PAGE_BYTES if fields else 0


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except PermissionError:
        # A process can hide this from its own user, and then all its pages count.
        return _resident_bytes(pid)
    except OSError:
        return 0
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    """The text of a file of procfs; empty where the process has just ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
