"""Passes a stream of the Messages API on as it comes: the floor of a server between."""

import asyncio
import sys

import aiohttp
from aiohttp import web

from .announced import serve


async def _main(upstream: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def pass_on(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            async with session.post(f"{upstream}/v1/messages", data=await request.read()) as source:
                async for chunk in source.content.iter_any():
                    await response.write(chunk)
            return response

        app = web.Application()
        app.add_routes([web.post("/", pass_on)])
        await serve(app)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
