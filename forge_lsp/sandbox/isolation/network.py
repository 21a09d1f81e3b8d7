"""A sandbox's own network, as seen from outside: sockets that belong to it."""

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.process import Child

LOOPBACK = "127.0.0.1"
SETUP_TIMEOUT_S = 25.0
"""How long the broker, which waits for bubblewrap, may take; more than it allows itself."""

_BACKLOG = 128
_LAST_DUTY_TIMEOUT_S = 5.0
_BROKER = Path(__file__).with_name("broker.py")


class Network:
    """Connects to and listens in a network namespace, through the sandbox's broker."""

    def __init__(self, channel: socket.socket, broker: Child) -> None:
        self._channel = channel
        self._broker = broker
        self._turn = asyncio.Lock()

    @classmethod
    def start(cls, identity: Identity, info: int, limits: Mapping[int, int]) -> Self:
        """Start the broker, which reads from `info` which sandbox it is for.

        It is started before bubblewrap, so that from the first moment something stands by to
        kill the sandbox should this server die. It applies the resource limits, too.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        pairs = (number for pair in limits.items() for number in pair)
        numbers = (theirs.fileno(), info, identity.uid, identity.gid, *pairs)
        with theirs:
            # The broker drops root by itself: its interpreter may lie where only root can read.
            started = subprocess.Popen(
                [sys.executable, "-I", "-S", os.fspath(_BROKER), *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                pass_fds=[theirs.fileno(), info],
                start_new_session=True,
            )
        return cls(ours, Child(started))

    async def entered(self) -> int:
        """Wait until the broker has entered the sandbox, whose init process's id this gives.

        All of the sandbox is set up then, and limited. Raises OSError.
        """
        async with asyncio.timeout(SETUP_TIMEOUT_S):
            message, _ = await self._receive()
        if not message.startswith(b"+"):
            raise ProcessLookupError(_reason(message))
        return int(message[1:])

    async def connect(self, port: int) -> socket.socket:
        """A connected, non-blocking socket to the sandbox's own 127.0.0.1.

        Raises OSError: refused where nobody listens, unreachable where the sandbox has ended.
        """
        made = await self._socket()
        try:
            await asyncio.get_running_loop().sock_connect(made, (LOOPBACK, port))
        except BaseException:
            made.close()
            raise
        return made

    async def listen(self, port: int) -> socket.socket:
        """A listening, non-blocking socket on the sandbox's own 127.0.0.1; raises OSError."""
        made = await self._socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((LOOPBACK, port))
            made.listen(_BACKLOG)
        except BaseException:
            made.close()
            raise
        return made

    async def close(self) -> None:
        """End the broker, which kills the sandbox first. Sockets that were handed out live on."""
        with contextlib.suppress(OSError):
            # Both the broker and whoever waits here for a socket read the end of the channel.
            self._channel.shutdown(socket.SHUT_RDWR)
        await self._broker.ended(within_s=_LAST_DUTY_TIMEOUT_S)
        self._broker.kill()
        await self._broker.ended()
        async with self._turn:
            self._channel.close()

    async def _socket(self) -> socket.socket:
        message, descriptors = await self._receive()
        if not descriptors:
            raise OSError(errno.ENETUNREACH, _reason(message))
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptors[0])
        made.settimeout(0)
        return made

    async def _receive(self) -> tuple[bytes, list[int]]:
        async with self._turn:
            while True:
                try:
                    message, descriptors, _, _ = socket.recv_fds(
                        self._channel, 512, 1, socket.MSG_CMSG_CLOEXEC
                    )
                except BlockingIOError:
                    await _readable(self._channel)
                else:
                    return message, descriptors


def _reason(message: bytes) -> str:
    return message[1:].decode(errors="replace") or "its broker has ended"


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def announce() -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            ready.set_result(None)

    loop.add_reader(channel, announce)
    try:
        await ready
    finally:
        loop.remove_reader(channel)
