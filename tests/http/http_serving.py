"""Serves the API on a free port with the real engine, and asks it."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from memory_sandbox import MemoryProvider

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.actions.review import Reviews
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.app import open_engine
from forge_lsp.http.doorway import Doorway
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.settings import HttpSettings, ModelSettings, Places, RunSettings, Settings

TOKEN = "forge_test-token"
WAIT_S = 20.0


@dataclasses.dataclass(frozen=True)
class Api:
    """A served API, and a client of it that brings the token."""

    url: str
    engine: Engine
    provider: MemoryProvider
    """Where the sandboxes are made, unless another provider was given."""
    doorway: Doorway
    client: aiohttp.ClientSession

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Status and decoded JSON."""
        async with self.client.post(path, json=body, **options) as response:
            return response.status, await response.json()

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.client.get(path, **options) as response:
            return response.status, await response.json()

    async def stream(self, path: str, body: Any, **options: Any) -> list[dict[str, Any]]:
        """Every event of a stream that is answered well."""
        async with self.client.post(path, json=body, **options) as response:
            assert response.status == 200, await response.text()
            return payloads(await response.read())


def payloads(data: bytes) -> list[dict[str, Any]]:
    """The JSON of each event; fails on anything that isn't `data:` and a blank line."""
    assert data.endswith(b"\n\n")
    found: list[dict[str, Any]] = []
    for block in data.decode().removesuffix("\n\n").split("\n\n"):
        assert block.startswith("data: "), block
        assert "\n" not in block, block
        found.append(json.loads(block.removeprefix("data: ")))
    return found


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The events as they come."""
    async for line in response.content:
        if line.strip():
            yield json.loads(line.removeprefix(b"data: "))


def settings(
    *, pace_s: float = 0.0, http: Mapping[str, Any] | None = None, grace_s: float = 300.0
) -> Settings:
    return Settings(
        model=ModelSettings(provider="demo", demo_pace_s=pace_s),
        http=HttpSettings(**(http or {})),
        runs=RunSettings(coalesce_s=0.0, listener_grace_s=grace_s),
    )


async def engine_with(chosen: Settings, home: Path, provider: SandboxProvider) -> Engine:
    """The engine as it is, but with these sandboxes."""
    engine = await open_engine(chosen, Places.find(home))

    async def get() -> SandboxProvider:
        return provider

    sandboxes = Sandboxes(Late(get))
    reviews = Reviews(engine.store, engine.runs, sandboxes, chosen.review)
    return dataclasses.replace(engine, sandboxes=sandboxes, reviews=reviews)


@asynccontextmanager
async def serving(
    home: Path,
    chosen: Settings | None = None,
    *,
    token: str | None = TOKEN,
    provider: SandboxProvider | None = None,
    wait_s: float = WAIT_S,
) -> AsyncGenerator[Api]:
    chosen = chosen or settings()
    in_memory = MemoryProvider()
    engine = await engine_with(chosen, home, provider or in_memory)

    async def get() -> Engine:
        return engine

    doorway = Doorway(Late(get), chosen.http, token)
    url = doorway.open()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with aiohttp.ClientSession(
            url, headers=headers, timeout=aiohttp.ClientTimeout(total=wait_s)
        ) as client:
            yield Api(url, engine, in_memory, doorway, client)
    finally:
        await doorway.close()
        await engine.close()


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = WAIT_S
) -> None:
    """Wait for a condition, looked at every 10 ms."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


def types(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
