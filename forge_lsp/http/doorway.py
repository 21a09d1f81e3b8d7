"""Listens at once, and starts the HTTP server when somebody first knocks.

A language server mounts the API this way and stays small until it is asked for something, so
this module imports neither aiohttp nor what needs it.
"""

import asyncio
import importlib
import logging
import socket
from typing import TYPE_CHECKING

from forge_lsp.errors import PortTaken
from forge_lsp.http.access import Access, bracketed, check_authentication
from forge_lsp.settings import HttpSettings

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.actions.late import Late
    from forge_lsp.http.server import Server

log = logging.getLogger(__name__)

BACKLOG = 128
"""Connections that may wait while the server starts."""


class Doorway:
    """Where the API is reached; `token` is None where none is asked for."""

    def __init__(self, engine: "Late[Engine]", settings: HttpSettings, token: str | None) -> None:
        self._engine = engine
        self._settings = settings
        self._token = token
        self._listening: socket.socket | None = None
        self._starting: asyncio.Task[Server] | None = None
        self._is_draining = False

    def open(self) -> str:
        """Listen; gives the URL. Raises `PortTaken` where that can't be, and `InvalidRequest`
        where no token would be asked for off the loopback."""
        host = self._settings.host
        check_authentication(host, self._token)
        listening = self._listening = _listen(host, self._settings.port)
        port = listening.getsockname()[1]
        access = Access.to(self._settings, port, self._token)
        asyncio.get_running_loop().add_reader(listening, self._knocked, listening, access)
        return f"http://{bracketed(host)}:{port}"

    def drain(self) -> None:
        """Go on listening, and answer whatever would begin something with 503."""
        self._is_draining = True
        if self._starting is not None and _is_well(self._starting):
            self._starting.result().drain()

    async def close(self) -> None:
        """Stop listening, and end the server if it was started."""
        if self._listening is None:
            return
        listening, self._listening = self._listening, None
        asyncio.get_running_loop().remove_reader(listening)
        if self._starting is not None:
            await asyncio.wait([self._starting])
            if _is_well(self._starting):
                await self._starting.result().close()
        listening.close()

    def _knocked(self, listening: socket.socket, access: Access) -> None:
        asyncio.get_running_loop().remove_reader(listening)
        self._starting = asyncio.create_task(
            self._start(listening, access), name="HTTP server start"
        )
        self._starting.add_done_callback(_log_failure)

    async def _start(self, listening: socket.socket, access: Access) -> "Server":
        # Importing aiohttp takes a while, during which the event loop has others to serve.
        module = await asyncio.to_thread(importlib.import_module, "forge_lsp.http.server")
        server = await module.Server.start(self._engine, access, self._settings, listening)
        if self._is_draining:
            server.drain()
        return server


def _is_well(starting: "asyncio.Task[Server]") -> bool:
    return starting.done() and not starting.cancelled() and starting.exception() is None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise PortTaken(f"The HTTP API can't listen on {host}: {error}.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PortTaken(f"The HTTP API can't listen on {host}:{port}: {error.strerror}.") from error
    listening.settimeout(0)
    return listening


def _log_failure(task: "asyncio.Task[Server]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the HTTP server did not start", exc_info=error)
