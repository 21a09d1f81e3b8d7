"""The server as `forge-lsp lsp` runs it over stdio, without the HTTP API."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from forge_lsp.app import open_engine
from forge_lsp.lsp.server import serve_stdio

if __name__ == "__main__":
    sys.exit(asyncio.run(serve_stdio(open_engine)))
