"""The language server with the HTTP API beside it.

Editors wait for what is imported here: nothing but the server itself.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from forge_lsp.actions.late import Late
from forge_lsp.errors import InvalidRequest
from forge_lsp.lsp.server import serve_stdio, serve_tcp, serve_websocket

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.http.doorway import Doorway
    from forge_lsp.lsp.session import OpenEngine
    from forge_lsp.settings import Places, Settings


def over_stdio(http_port: int | None) -> int:
    """Serve the editor that started us; gives the exit code."""
    return asyncio.run(serve_stdio(_open_engine, partial(HttpDoor, http_port)))


def over_tcp(host: str, port: int, http_port: int | None) -> None:
    """Serve editors until a signal; a line on stdout tells where."""
    _refuse_strangers(host)
    mount = partial(HttpDoor, http_port)
    asyncio.run(serve_tcp(_open_engine, host, port, mount, _tell("tcp", host)))


def over_websocket(host: str, port: int, http_port: int | None) -> None:
    """Serve editors until a signal; a line on stdout tells where."""
    _refuse_strangers(host)
    mount = partial(HttpDoor, http_port)
    asyncio.run(serve_websocket(_open_engine, host, port, mount, _tell("ws", host)))


class HttpDoor:
    """The HTTP API, opened where settings don't leave it out."""

    def __init__(self, port: int | None, engine: "Late[Engine]") -> None:
        self._port = port
        self._engine = engine
        self._doorway: Doorway | None = None

    async def open(self, settings: "Settings", places: "Places") -> str:
        """Start to listen; gives the URL, empty where the API is left out."""
        self._doorway = await asyncio.to_thread(self._prepare, settings, places)
        return self._doorway.open() if self._doorway else ""

    async def close(self) -> None:
        """Stop."""
        if self._doorway is not None:
            await self._doorway.close()

    def _prepare(self, settings: "Settings", places: "Places") -> "Doorway | None":
        import msgspec

        from forge_lsp.actions.tokens import owner_token
        from forge_lsp.http.doorway import Doorway

        http = settings.http
        if self._port is not None:
            http = msgspec.structs.replace(http, port=self._port)
        if not http.enabled:
            return None
        token = owner_token(settings, places) if http.auth else None
        return Doorway(self._engine, http, token)


async def _open_engine(settings: "Settings", places: "Places") -> "Engine":
    app = await asyncio.to_thread(_import_app)
    return await app(settings, places)


def _import_app() -> "OpenEngine":
    from forge_lsp.app import open_engine

    return open_engine


def _refuse_strangers(host: str) -> None:
    from forge_lsp.http.access import is_loopback

    if not is_loopback(host):
        raise InvalidRequest(
            f"The language server asks nobody who they are, so it does not listen on {host}.",
            remedy="Use 127.0.0.1, and ssh's port forwarding from another machine.",
        )


def _tell(scheme: str, host: str) -> Callable[[int], None]:
    def tell(port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        line = {"url": f"{scheme}://{shown}:{port}", "pid": os.getpid()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    return tell
