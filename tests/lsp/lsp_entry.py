"""The server as `forge-lsp lsp` runs it, with sandboxes in memory."""

import asyncio
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from forge_lsp.actions.late import Late
from forge_lsp.lsp.server import serve_stdio, serve_tcp, serve_websocket

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.settings import Places, Settings


async def open_engine(settings: "Settings", places: "Places") -> "Engine":
    from memory_sandbox import MemoryProvider
    from sandbox_line import open_line

    from forge_lsp import app
    from forge_lsp.actions.review import Reviews
    from forge_lsp.actions.sandboxes import Sandboxes

    async def provider() -> MemoryProvider:
        made = MemoryProvider()
        await open_line(made)
        return made

    engine = await app.open_engine(settings, places)
    sandboxes = Sandboxes(Late(provider))
    reviews = Reviews(engine.store, engine.runs, sandboxes, settings.review)
    return dataclasses.replace(engine, sandboxes=sandboxes, reviews=reviews)


def tell_port(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def main() -> int:
    match os.environ.get("LSP_TEST_TRANSPORT"):
        case "tcp":
            asyncio.run(serve_tcp(open_engine, "127.0.0.1", 0, None, tell_port))
        case "websocket":
            asyncio.run(serve_websocket(open_engine, "127.0.0.1", 0, None, tell_port))
        case _:
            return asyncio.run(serve_stdio(open_engine))
    return 0


if __name__ == "__main__":
    sys.exit(main())
