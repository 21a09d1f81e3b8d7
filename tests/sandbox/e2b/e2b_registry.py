"""The registry that this machine's npm is set up with, passed on as cloud sandboxes would reach
one: without a word about certificates or proxies."""

import shutil
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from forge_lsp.sandbox.installing.source import find_source


@asynccontextmanager
async def passed_on_registry() -> AsyncGenerator[str]:
    """Serve it on the loopback interface; gives the URL."""
    node, npm = _program("node"), _program("npm")
    source = await find_source(node, npm, None)
    trust = ssl.create_default_context()
    if source.certificates:
        trust.load_verify_locations(source.certificates)
    url = ""

    async def answer(request: web.BaseRequest) -> web.Response:
        wanted = source.url + request.raw_path
        headers = {"Accept": request.headers.get("Accept", "*/*")}
        async with session.get(wanted, headers=headers, proxy=source.proxy) as upstream:
            body = await upstream.read()
            kind = upstream.content_type
        if "json" in kind:
            body = body.replace(source.url.encode(), url.encode())
        return web.Response(status=upstream.status, body=body, content_type=kind)

    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:
        runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield url
        finally:
            await runner.cleanup()


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found, f"{name} is not on the PATH"
    return Path(found).resolve()
