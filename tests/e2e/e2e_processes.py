"""Processes, held so that nothing else can be taken for them once they are gone."""

import os
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Held:
    """A process; `descriptor` is a pidfd, which becomes readable when the process ends."""

    pid: int
    command: str
    descriptor: int


def hold_family(pid: int) -> Sequence[Held]:
    """The process and all that descend from it, as they are now."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and (parent := _parent(place)) is not None:
            children.setdefault(parent, []).append(int(place.name))
    family = [pid]
    for each in family:
        family += children.get(each, ())
    return [held for each in family if (held := _hold(each))]


def left_after(family: Sequence[Held], timeout_s: float) -> Sequence[str]:
    """The commands of those that still run after `timeout_s`; lets go of all of them."""
    waiting = {each.descriptor: each for each in family}
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + timeout_s
    while waiting and (remaining_s := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(remaining_s * 1000):
            poll.unregister(descriptor)
            del waiting[descriptor]
    for each in family:
        os.close(each.descriptor)
    return [f"{each.pid} {each.command}" for each in waiting.values()]


def _parent(place: Path) -> int | None:
    with suppress(OSError):
        # proc(5): the command's name is in parentheses and may hold any character.
        return int((place / "stat").read_text().rpartition(")")[2].split()[1])
    return None


def _hold(pid: int) -> Held | None:
    with suppress(OSError):
        descriptor = os.pidfd_open(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        return Held(pid, command.strip(), descriptor)
    return None
