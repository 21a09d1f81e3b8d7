"""HTTP into a sandbox: connections that are made inside its own network."""

import socket
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

Connect = Callable[[], Awaitable[socket.socket]]
"""Gives a socket that is connected to the dev server; raises OSError where none answers."""

MAX_CONNECTIONS = 128
CONNECT_TIMEOUT_S = 5.0
ORIGIN = "http://localhost:5173"
"""What the dev server is told that it is asked as; Vite refuses names that it doesn't know."""


def open_session(connect: Connect) -> aiohttp.ClientSession:
    """A client whose every request goes to the dev server behind `connect`."""
    return aiohttp.ClientSession(
        base_url=ORIGIN,
        connector=_Connector(connect),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
    )


class _Connector(aiohttp.BaseConnector):
    """Like aiohttp's own connector for Unix sockets, which is the pattern for a foreign way in."""

    allowed_protocol_schema_set = frozenset({"http", "ws"})

    def __init__(self, connect: Connect) -> None:
        super().__init__(limit=MAX_CONNECTIONS)
        self._connect_inside = connect

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,  # noqa: ARG002 - The signature is aiohttp's own.
        traces: Sequence[Trace],  # noqa: ARG002
        timeout: aiohttp.ClientTimeout,  # noqa: ARG002
    ) -> ResponseHandler:
        try:
            inside = await self._connect_inside()
            _, protocol = await self._loop.create_connection(self._factory, sock=inside)
        except OSError as error:
            raise aiohttp.ClientConnectionError(str(error)) from error
        return protocol
