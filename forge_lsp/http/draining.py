"""On the way out: what is under way goes on, and nothing new begins."""

import re

from aiohttp import web
from aiohttp.typedefs import Handler

RETRY_AFTER_S = 5
"""When another server may have taken this one's place."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_ENDS_WORK = re.compile(r"/v1/runs/[^/]+/cancel|/api/sandbox/kill")
"""What makes the end come sooner is taken to the last."""


class Drain:
    """Whether the server is on its way out."""

    def __init__(self) -> None:
        self._is_on = False

    def begin(self) -> None:
        """Take nothing new from now on."""
        self._is_on = True

    def refuse_if_on(self) -> None:
        """Raises the 503 that says when to come back."""
        if self._is_on:
            raise web.HTTPServiceUnavailable(
                text="The server is stopping and takes nothing new; try again in a moment.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )


DRAIN = web.AppKey("drain", Drain)


@web.middleware
async def refuse_new_work(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what would begin something once the server is on its way out."""
    if request.method not in _READS and not _ENDS_WORK.fullmatch(request.path):
        request.app[DRAIN].refuse_if_on()
    return await handler(request)
