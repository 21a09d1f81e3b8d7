"""The registry on a sandbox's own loopback: GET of packuments and tarballs, and nothing else.

This is all the network that an install has. Its clients are hostile: what they ask is matched
against the two forms that npm uses, and the rest is refused unread.
"""

import asyncio
import re
import socket
from typing import Self
from urllib.parse import unquote

import msgspec
from aiohttp import web

from forge_lsp.sandbox.installing import packages, packuments
from forge_lsp.sandbox.installing.registry import Registry, RegistryFailed

PORT = 4873
"""Where installs find it, on the 127.0.0.1 of their sandbox."""
URL = f"http://127.0.0.1:{PORT}"
SHUTDOWN_TIMEOUT_S = 0.1

_TARBALL = re.compile(
    r"(?P<name>(?:@[^/]+/)?(?P<short>[^/]+))/-/(?P=short)-(?P<version>[^/]+)\.tgz"
)


class RegistryProxy:
    """Serves one registry on one listening socket."""

    def __init__(self, registry: Registry) -> None:
        self.last_failure: RegistryFailed | None = None
        """What could not be had last, and why, for people."""
        self._registry = registry
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT_S)

    @classmethod
    async def start(cls, registry: Registry, listener: socket.socket) -> Self:
        """Serve on `listener`, which is the proxy's own from now on."""
        proxy = cls(registry)
        await proxy._runner.setup()
        await web.SockSite(proxy._runner, listener).start()
        return proxy

    async def close(self) -> None:
        """Stop serving; what is under way is cut off."""
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET":
            return _refusal(405, "Only GET is served here.")
        if request.rel_url.raw_query_string or "Upgrade" in request.headers:
            return _refusal(403, "Only packages are served here.")
        path = unquote(request.rel_url.raw_path).removeprefix("/")
        try:
            if tarball := _TARBALL.fullmatch(path):
                return await self._tarball(tarball["name"], tarball["version"])
            return await self._packument(path)
        except RegistryFailed as error:
            self.last_failure = error
            return _refusal(error.status, error.message)

    async def _packument(self, name: str) -> web.StreamResponse:
        if packages.why_name_refused(name):
            return _refusal(403, "Only packages are served here.")
        packument = await self._registry.packument(name)
        body = await asyncio.to_thread(packuments.encode, packument, URL)
        return web.Response(body=body, content_type="application/vnd.npm.install-v1+json")

    async def _tarball(self, name: str, version: str) -> web.StreamResponse:
        if packages.why_name_refused(name) or not packuments.is_version(version):
            return _refusal(403, "Only packages are served here.")
        place = await self._registry.tarball(name, version)
        return web.FileResponse(place, headers={"Content-Type": "application/octet-stream"})


def _refusal(status: int, reason: str) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode({"error": reason}), content_type="application/json"
    )
