"""Serves an application on a free port until killed; a line on stdout tells its URL."""

import asyncio
import json
import sys

from aiohttp import web


async def serve(app: web.Application) -> None:
    """Never returns."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(json.dumps({"url": f"http://{host}:{port}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
