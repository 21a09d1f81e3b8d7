"""Serves the application on a socket that somebody else has bound."""

import socket

from aiohttp import web

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.http.access import Access
from forge_lsp.http.application import build
from forge_lsp.http.connections import Site
from forge_lsp.http.doorway import BACKLOG
from forge_lsp.http.draining import DRAIN
from forge_lsp.settings import HttpSettings

SHUTDOWN_TIMEOUT_S = 1.0
"""How long what is under way may take to end once the server stops."""
LINGERING_TIME_S = 1.0
"""How long a body that was refused is still read, so that its sender gets to see the answer."""


class Server:
    """The application, running."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    @classmethod
    async def start(
        cls,
        engine: Late[Engine],
        access: Access,
        settings: HttpSettings,
        listening: socket.socket,
    ) -> "Server":
        """Take over the listening socket."""
        runner = web.AppRunner(
            build(engine, access, settings),
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await runner.setup()
        await Site(runner, listening, backlog=BACKLOG, lingering_time_s=LINGERING_TIME_S).start()
        return cls(runner)

    def drain(self) -> None:
        """Take nothing new from now on; what is under way goes on."""
        self._runner.app[DRAIN].begin()

    async def close(self) -> None:
        """Stop listening, end the streams with a last word, and wait for them for a moment."""
        await self._runner.cleanup()
