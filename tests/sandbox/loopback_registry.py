"""A real npm registry on the loopback interface, with packages that a test makes up."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

LONG_AGO = "2020-01-01T00:00:00.000Z"


def tarball(manifest: Mapping[str, Any]) -> bytes:
    """What `npm pack` would make of a package with this manifest and one module."""
    buffer = io.BytesIO()
    contents = {
        "package.json": json.dumps(manifest).encode(),
        "index.js": f"module.exports = {json.dumps(manifest['version'])};\n".encode(),
    }
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class LoopbackRegistry:
    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        """Method, path and headers of every request."""
        self.status = 200
        self.abbreviates = True
        """It answers without `time` to those who ask for the abbreviated form."""
        self.packages: dict[str, dict[str, Any]] = {}
        self.tarballs: dict[str, bytes] = {}

    def publish(self, name: str, version: str, at: str = LONG_AGO, **fields: Any) -> None:
        manifest = {"name": name, "version": version, "main": "index.js"} | fields
        content = tarball(manifest)
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.tarballs[path] = content
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        package = self.packages.setdefault(
            name, {"name": name, "dist-tags": {}, "versions": {}, "time": {}, "modified": LONG_AGO}
        )
        package["versions"][version] = manifest | {
            "dist": {"tarball": self.url + path, "integrity": integrity}
        }
        package["time"][version] = at
        package["modified"] = max(package["modified"], at)
        package["dist-tags"]["latest"] = version

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, dict(request.headers)))
        if self.status != 200:
            return web.Response(status=self.status)
        if request.path in self.tarballs:
            return web.Response(body=self.tarballs[request.path])
        package = self.packages.get(request.path[1:])
        if package is None:
            return web.Response(status=404)
        etag = f'"{hash(json.dumps(package))}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        if self.abbreviates and "install-v1" in request.headers.get("Accept", ""):
            package = {name: value for name, value in package.items() if name != "time"}
        return web.json_response(package, headers={"ETag": etag})


@asynccontextmanager
async def serve_registry() -> AsyncGenerator[LoopbackRegistry]:
    registry = LoopbackRegistry()
    runner = web.ServerRunner(web.Server(registry.answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        registry.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield registry
    finally:
        await runner.cleanup()
