"""What a browser sees of a dev server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, Settings

PATIENCE_S = 60.0
LOOK_S = 0.002


class Preview:
    """A page by its URL, whatever the resolver thinks of the host's name."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._session = aiohttp.ClientSession(
            f"http://127.0.0.1:{parts.port}", headers={"Host": parts.netloc}
        )

    async def get(self, path: str = "/") -> tuple[int, str]:
        """Status and body; 0 where nobody listens."""
        try:
            async with self._session.get(path) as response:
                return response.status, await response.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()


async def until_it_answers(preview: Preview) -> None:
    """Wait until the page is served."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status, _ = await preview.get()
            if status == 200:
                return
            await asyncio.sleep(LOOK_S)


async def until_it_shows(preview: Preview, path: str, text: str) -> None:
    """Wait until the module at `path` holds `text`."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            _, body = await preview.get(path)
            if text in body:
                return
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def provider(scratch: Path) -> AsyncGenerator[LocalProvider]:
    """Real sandboxes; the cache is that of the tests, so that the template is prepared once."""
    cache = Places.find().cache / "tests"
    places = Places(config=scratch / "config", state=scratch / "state", cache=cache)
    made = LocalProvider(Settings(), places)
    try:
        yield made
    finally:
        await made.close()


async def create(made: LocalProvider) -> Sandbox:
    """A sandbox, warm where the pool has one."""
    return await made.create(lambda _: None)


async def pool_filled(made: LocalProvider) -> None:
    """Wait until the next sandbox is warm."""
    await made._pool.filled()
