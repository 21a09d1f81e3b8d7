"""The dev server in a sandbox, kept running."""

import asyncio
import errno
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from forge_lsp.errors import ForgeError, SandboxFailed
from forge_lsp.sandbox import connector
from forge_lsp.sandbox.isolation.confinement import Confined
from forge_lsp.sandbox.log import Log
from forge_lsp.sandbox.news import News

_log = logging.getLogger(__name__)

PORT = 5173
ARGUMENTS = ("node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--port", str(PORT))
LOOK_S = 0.02
RETURN_LOOK_S = 0.1
"""Between two looks whether one that was started again answers."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
PAGE_TIMEOUT_S = 30.0
MAX_OUTPUT_LINES = 200
"""Some servers say so much beside an error that it isn't among the last few lines."""
MAX_DEATHS = 3
DEATHS_WITHIN_S = 60.0
"""A server that dies more often than `MAX_DEATHS` in this time is not started again."""

Spawn = Callable[[], Awaitable[Confined]]
"""Starts the confined process once more."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the dev server answered, cut off at `MAX_PAGE_BYTES`."""

    status: int
    content_type: str
    body: bytes


class DevServer:
    """One dev server, started again when it dies; to be closed in the end."""

    def __init__(self, spawn: Spawn, first: Confined, port: int | None) -> None:
        self.session = connector.open_session(self._connect)
        self.why_ended = ""
        """Why it isn't started again, for people; empty while it is."""
        self.log = Log()
        """What it said since its first start."""
        self.news = News()
        """It has ended, or answers again."""
        self._spawn = spawn
        self._confined = first
        self._fixed_port = port
        self._port = port
        self._task = asyncio.create_task(self._keep_running(), name=f"dev-server-{first.pid}")

    @classmethod
    async def start(cls, spawn: Spawn, port: int | None = PORT) -> "DevServer":
        """Start it; raises what `spawn` raises. Without a port, the one that it takes is found."""
        return cls(spawn, await spawn(), port)

    @property
    def is_running(self) -> bool:
        """Whether the process is there now."""
        return self._confined.is_running()

    @property
    def output(self) -> str:
        """Its last lines."""
        return self.log.tail(MAX_OUTPUT_LINES)

    async def ready(self, timeout_s: float) -> None:
        """Wait until its page answers 200; raises `SandboxFailed` with its last lines."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._is_ready():
                    if self._task.done():
                        raise self._failed("ended before its page answered")
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise self._failed(f"did not answer within {timeout_s:.0f} s") from error

    async def get(self, path: str) -> Page:
        """Ask for a page; raises `aiohttp.ClientError` or `TimeoutError` where none comes."""
        async with (
            asyncio.timeout(PAGE_TIMEOUT_S),
            self.session.get(path, headers={"Accept": "text/html, */*"}) as answer,
        ):
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > MAX_PAGE_BYTES:
                    answer.close()
                    break
            return Page(answer.status, answer.content_type, bytes(body[:MAX_PAGE_BYTES]))

    async def ended(self) -> None:
        """Wait until it runs no more and isn't started again."""
        await asyncio.wait({self._task})

    async def close(self) -> None:
        """End it, and wait until it is gone."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._confined.kill()
        await self.session.close()

    async def _is_ready(self) -> bool:
        if self._fixed_port is not None:
            page = await self._page()
            return page is not None and page.status == 200
        # What a project's own server says of itself is its own matter: one that has nothing at
        # its root, or an error there, is up all the same.
        for port in self._confined.listening():
            self._port = port
            if await self._page() is not None:
                return True
        self._port = None
        return False

    async def _page(self) -> Page | None:
        try:
            return await self.get("/")
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _failed(self, what: str) -> SandboxFailed:
        why = f" {self.why_ended}" if self.why_ended else ""
        return SandboxFailed(f"The preview's dev server {what}.{why}\n{self.log.tail()}".strip())

    async def _connect(self) -> socket.socket:
        if self._port is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return await self._confined.connect(self._port)

    async def _keep_running(self) -> None:
        deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        reason = await self._until_it_ends()
        while True:
            now = time.monotonic()
            if len(deaths) == MAX_DEATHS and now - deaths[0] < DEATHS_WITHIN_S:
                self.why_ended = f"The preview's dev server died again and again. {reason}"
                break
            deaths.append(now)
            try:
                self._confined = await self._spawn()
            except ForgeError as error:
                self.why_ended = f"The preview's dev server can't be started again: {error.message}"
                break
            name = f"dev-server-returns-{self._confined.pid}"
            returning = asyncio.create_task(self._tell_of_its_return(), name=name)
            try:
                reason = await self._until_it_ends()
            finally:
                returning.cancel()
                await asyncio.wait({returning})
        self.news.happened()

    async def _until_it_ends(self) -> str:
        """Take in what it says until it has ended; gives why it did, for people."""
        await self.log.read(self._confined.output)
        code = await self._confined.wait()
        await self._confined.kill()
        reason = self._confined.ended_because or f"It ended by itself with code {code}."
        _log.warning("dev server %d: %s", self._confined.pid, reason)
        self.news.happened()
        return reason

    async def _tell_of_its_return(self) -> None:
        while True:
            if await self._is_ready():
                self.news.happened()
                return
            await asyncio.sleep(RETURN_LOOK_S)
