"""Which process owns a run, in words that another process on this machine can check."""

import os
from pathlib import Path


def this_process() -> str:
    """Names this process so that another can tell whether it still lives: pid and start time."""
    return f"{os.getpid()}:{_started_at(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process that `this_process` named still runs on this machine."""
    pid, _, started_at = owner.partition(":")
    return pid.isdecimal() and started_at != "" and _started_at(int(pid)) == started_at


def _started_at(pid: int) -> str:
    """The process's start time in clock ticks since boot (proc(5), field 22); empty if gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
