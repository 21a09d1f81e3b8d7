"""Which ports of a sandbox's own network something listens on: what the kernel says, not it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_LISTENING = "0A"
"""TCP_LISTEN of the kernel's include/net/tcp_states.h."""
_REACHED = frozenset({"00000000", "0100007F", "0" * 32})
"""0.0.0.0, 127.0.0.1 and ::, as /proc/net/tcp writes them: words in the machine's byte order."""


def listening_ports(pid: int) -> Sequence[int]:
    """Those that a connection to 127.0.0.1 reaches, sorted; none where the process has ended."""
    found: set[int] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            found.update(_ports(Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii")))
    return sorted(found)


def _ports(table: str) -> Iterator[int]:
    """See proc_pid_net(5): `sl local_address rem_address st …`, all of it in hexadecimal."""
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, port = local.partition(":")
        if state == _LISTENING and address in _REACHED:
            yield int(port, 16)
