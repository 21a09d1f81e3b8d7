"""Stands beside a sandbox, outside: limits it, opens sockets in its network, sees it dead.

A script of its own, run by path under `python -I -S`: a user namespace can only be entered by a
process with one thread, and one that has entered can't come back. It keeps a few sockets ahead
in the channel, so that whoever wants one rarely waits. When the channel's other end is gone, so
is the server: the sandbox is killed then, in case nothing else has done so.

Arguments: the descriptor of the channel (a sequenced-packet socket), that of bubblewrap's info
pipe, the uid and the gid to run as, then pairs of a resource and its limit. Each message is `+`,
the first with the id of the sandbox's init process, the others with a socket; or `!` and the
reason why there is none.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import time

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
NS_GET_USERNS = 0xB701
CHANNEL_BYTES = 4096
"""The smallest send buffer that Linux gives: about eight sockets wait in it."""
SETUP_TIMEOUT_S = 20.0
POLL_S = 0.001


def become(uid: int, gid: int) -> None:
    """Drop to the unprivileged identity, where we aren't it.

    Nothing can be imported from here on: the interpreter may lie where only root can read.
    """
    if os.geteuid() != uid:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def limit(pid: int, numbers: list[int]) -> None:
    """Limit `pid`, from which every process of the sandbox will descend.

    It has its user namespace by now. A limit on processes that stood before would be held
    against all that its user runs. The server can't do this: in a container even root lacks the
    right, but a process of the same user has it.
    """
    for which, wanted in zip(numbers[::2], numbers[1::2], strict=True):
        _, ceiling = resource.prlimit(pid, which)
        value = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
        resource.prlimit(pid, which, (value, value))
    # Some kernels let nobody write there; the memory watch stands all the same.
    with contextlib.suppress(OSError):
        score = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(score, b"1000")
        os.close(score)


def read_info(descriptor: int) -> tuple[int, int]:
    """What bubblewrap tells: the id of the init process, and its network namespace's inode."""
    with os.fdopen(descriptor, "rb") as pipe:
        told = json.loads(pipe.read() or b"{}")
    if not told:
        raise ProcessLookupError("bubblewrap has ended")
    return told["child-pid"], told["net-namespace"]


def wait_for_setup(pid: int, outer: int, channel: socket.socket) -> None:
    """Wait until bubblewrap has set up all: it takes `pid` into a second user namespace then.

    Raises `BrokenPipeError` where the server ends meanwhile.
    """
    deadline = time.monotonic() + SETUP_TIMEOUT_S
    channel.settimeout(POLL_S)
    # Not by pathlib, whose import would cost more than all the rest.
    while os.stat(f"/proc/{pid}/ns/user").st_ino == os.fstat(outer).st_ino:  # noqa: PTH116
        if time.monotonic() > deadline:
            raise TimeoutError("bubblewrap takes too long to set it up")
        with contextlib.suppress(TimeoutError):
            channel.recv(1)
            raise BrokenPipeError
    channel.settimeout(None)


def enter(pid: int, inode: int, channel: socket.socket) -> None:
    """Enter the network namespace of `pid` and the user namespace that owns it."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(network).st_ino != inode:
        raise ProcessLookupError("the sandbox has ended")
    owner = fcntl.ioctl(network, NS_GET_USERNS)
    wait_for_setup(pid, owner, channel)
    libc = ctypes.CDLL(None, use_errno=True)
    for descriptor, kind in ((owner, CLONE_NEWUSER), (network, CLONE_NEWNET)):
        if libc.setns(descriptor, kind):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        os.close(descriptor)


def serve(channel: socket.socket) -> None:
    """Send sockets until the other end is gone."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
            socket.send_fds(channel, [b"+"], [made.fileno()])


def stand_by(channel: socket.socket, info: int, limits: list[int]) -> None:
    """Do all for one sandbox, and kill it when that can't go on."""
    pid, inode = read_info(info)
    sandbox = os.pidfd_open(pid)
    try:
        limit(pid, limits)
        enter(pid, inode, channel)
        channel.send(f"+{pid}".encode())
        serve(channel)
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(sandbox, signal.SIGKILL)


def main(descriptor: int, info: int, uid: int, gid: int, *limits: int) -> None:
    """Stand beside one sandbox until it or the server ends."""
    channel = socket.socket(fileno=descriptor)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHANNEL_BYTES)
    try:
        become(uid, gid)
        stand_by(channel, info, list(limits))
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError):
            channel.send(f"!{error}".encode())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
