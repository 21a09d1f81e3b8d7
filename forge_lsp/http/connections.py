"""Connections whose clients have said all that they will say, and still listen.

A client may close its side once its request is out, as `nc -N` does. asyncio closes the other side
then, too, and the answer would go nowhere. A client that is gone looks the same from here until
something is written to it, which a stream does with each event and heartbeat.
"""

import asyncio
import socket
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError


class Connection(web.RequestHandler):
    """One that is closed only once the request that came in whole is answered.

    After it, as HTTP lets a server do, the connection is closed: what was sent in a row behind it
    may stay without an answer.
    """

    __slots__ = ()

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether to go on; called once the client's side is closed."""
        is_idle = self._waiter is not None and not self._waiter.done()
        if is_idle or self._parser is None:
            return False
        try:
            self._parser.feed_eof()
        except PayloadEncodingError:
            # The body lacks its end, which the one who reads it hears, too.
            return False
        self.close()
        return True


class Site(web.BaseSite):
    """Accepts connections on a socket that somebody else has bound."""

    __slots__ = ("_lingering_time_s", "_listening")

    def __init__(
        self,
        runner: web.AppRunner,
        listening: socket.socket,
        *,
        backlog: int,
        lingering_time_s: float,
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._listening = listening
        self._lingering_time_s = lingering_time_s

    @property
    def name(self) -> str:
        """The address."""
        return str(self._listening.getsockname())

    async def start(self) -> None:
        """Accept."""
        await super().start()
        loop, server = asyncio.get_running_loop(), self._runner.server
        assert server is not None, "the runner is set up before its sites"

        # The types lack aiohttp's way to have no log of accesses.
        options: dict[str, Any] = {"access_log": None, "lingering_time": self._lingering_time_s}

        def connect() -> Connection:
            return Connection(server, loop=loop, **options)

        self._server = await loop.create_server(
            connect, sock=self._listening, backlog=self._backlog
        )
