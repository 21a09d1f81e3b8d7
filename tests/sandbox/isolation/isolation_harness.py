"""What the tests of isolation share: how sandboxes are started, and how processes are looked at."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

import nursery
import pytest

from forge_lsp.sandbox.isolation.confinement import Confined, Limits
from forge_lsp.sandbox.isolation.memory import descendants

INSIDE_PYTHON = "/usr/bin/python3"
"""The attacks are written in Python, and a sandbox sees nothing of the tests' own."""

ROOMY = Limits(memory_mb=512, disk_mb=128, processes=128)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a sandbox."""

    code: int
    output: str
    because: str | None


class Spawn(Protocol):
    """Starts a sandbox that is killed after the test."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits = ROOMY,
        listen: Sequence[int] = (),
    ) -> Confined: ...


class Attack(Protocol):
    """Runs a Python program in a sandbox, to its end."""

    async def __call__(
        self, program: str, *, limits: Limits = ROOMY, within_s: float = 30
    ) -> Ended: ...


def give_up(reason: str) -> NoReturn:
    """A missing tool is a failure in CI, and said elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


async def until(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def alive_with(argument: str) -> list[int]:
    """Whatever has `argument` in its command line, whoever its parent is by now."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if argument.encode() in _command_line(process) and is_alive(int(process.name))
    ]


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def any_alive(pids: Iterable[int]) -> bool:
    return any(map(is_alive, pids))


def children_of(pid: int) -> list[int]:
    """The processes below `pid`, without it."""
    return [found for found in descendants(pid) if found != pid]


def own_children() -> list[int]:
    """Those of this process, but for the tests' own, which others have started."""
    return [
        pid
        for pid in children_of(os.getpid())
        if _name(pid) != "postgres" and not nursery.is_part(pid)
    ]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
