"""The relay's own paths: they give a preview's pages the reporter, and take what it tells."""

import time
from collections.abc import Callable

from aiohttp import web

from forge_lsp.sandbox.reporter import REPORT_PATH, SCRIPT_PATH, script
from forge_lsp.sandbox.reporter.reports import MAX_REPORT_BYTES

MAX_BURST = 60
REPORTS_PER_S = 20.0
"""Pages that tell more are told to wait; theirs is a loop that says the same again and again."""

ReportSink = Callable[[bytes], None]
"""Takes what a page has sent, whatever that is; never blocks or raises."""


class Intake:
    """For one sandbox. Who may ask at all is the relay's to decide."""

    def __init__(self) -> None:
        self.sink: ReportSink | None = None
        self._allowed = float(MAX_BURST)
        self._allowed_at = time.monotonic()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for one of the relay's own paths."""
        if request.method == "GET" and request.path == SCRIPT_PATH:
            return web.Response(
                body=script(),
                content_type="text/javascript",
                charset="utf-8",
                headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
            )
        if request.method == "POST" and request.path == REPORT_PATH:
            return await self._take(request)
        return web.Response(status=404, text="There is nothing here.")

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.content_type != "application/json":
            return web.Response(status=415, text="A report is application/json.")
        if not self._may_report():
            return web.Response(status=429, text="These are too many reports.")
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > MAX_REPORT_BYTES:
                return web.Response(status=413, text="The report is too large.")
        if self.sink is not None:
            self.sink(bytes(body))
        return web.Response(status=204)

    def _may_report(self) -> bool:
        now = time.monotonic()
        earned = (now - self._allowed_at) * REPORTS_PER_S
        self._allowed = min(self._allowed + earned, MAX_BURST)
        self._allowed_at = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True
