"""The way from a browser to the preview in a sandbox, and who may take it.

The dev server is configured by the model, so it can't be the one that checks who asks: Host and
Origin are checked here. Every preview has an origin of its own, `http://<id>.localhost:PORT`, so
that no preview can read another, or the API. Browsers and curl know that names under `localhost`
mean this machine (RFC 6761, section 6.3); Python's resolver may not, so a client in Python
connects to 127.0.0.1 and names the host in its header.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from forge_lsp.sandbox import connector, reporter
from forge_lsp.sandbox.reporter.injection import Injection
from forge_lsp.sandbox.reporter.intake import Intake, ReportSink

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PIECE_BYTES = 1 << 16
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Vite sends a whole error page's worth of code frames in one message."""
SHUTDOWN_TIMEOUT_S = 0.1

_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""RFC 9110, section 7.6.1: these speak of one connection, not of the message."""

_DOCUMENTS = frozenset({"document", "iframe", "frame"})
"""What a browser says in Sec-Fetch-Dest of a page that it will show; scripts that ask for HTML
get it as it is."""

_WAITING_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>Starting...</title></head>
<body style="font-family:system-ui;display:grid;place-items:center;min-height:90vh;color:#555">
<p>The preview is not answering yet. This page tries again by itself.</p></body></html>
"""


class Relay:
    """Serves one sandbox's preview on the loopback interface."""

    def __init__(
        self, sandbox_id: str, session: aiohttp.ClientSession, on_request: Callable[[], None]
    ) -> None:
        self.url = ""
        """Where the preview answers."""
        self._name = f"{sandbox_id}.localhost"
        self._host = ""
        self._session = session
        self._on_request = on_request
        self._intake = Intake()
        server = web.Server(self._answer, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT_S)

    @classmethod
    async def start(
        cls,
        sandbox_id: str,
        session: aiohttp.ClientSession,
        on_request: Callable[[], None],
        listener: socket.socket | None = None,
    ) -> Self:
        """Serve what `session` reaches, on a free port or at `listener`. The session stays its
        maker's.

        `on_request` is told of every request that is let through.
        """
        relay = cls(sandbox_id, session, on_request)
        await relay._runner.setup()
        if listener is None:
            await web.TCPSite(relay._runner, LOOPBACK, 0).start()
        else:
            await web.SockSite(relay._runner, listener).start()
        relay._host = f"{relay._name}:{relay._runner.addresses[0][1]}"
        relay.url = f"http://{relay._host}/"
        return relay

    def report_to(self, sink: ReportSink) -> None:
        """Give what its pages tell of themselves to `sink` from now on."""
        self._intake.sink = sink

    async def close(self) -> None:
        """Stop serving; what is under way is cut off."""
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if refusal := self._refusal(request):
            return refusal
        if request.path.startswith(reporter.OWN_PATHS):
            return await self._intake.answer(request)
        self._on_request()
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._relay_websocket(request)
            return await self._relay_http(request)
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            # UnicodeError: header lines of the dev server that no HTTP answer may hold.
            log.debug("the preview %s does not answer: %s", self._name, error)
            return _not_answering(request)

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        if request.headers.getall("Host", []) != [self._host]:
            return _plain(421, f"This is the preview at {self.url}; it has no other name.")
        if not request.raw_path.startswith("/"):
            return _plain(400, "The request names no path.")
        origins = request.headers.getall("Origin", [])
        may_lack_origin = request.method in ("GET", "HEAD") and "Upgrade" not in request.headers
        if origins != [f"http://{self._host}"] and (origins or not may_lack_origin):
            return _plain(403, "Only the preview's own pages may ask for this.")
        return None

    async def _relay_http(self, request: web.BaseRequest) -> web.StreamResponse:
        async with self._session.request(
            request.method,
            _target(request),
            headers=_inwards(request.headers),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
        ) as inner:
            headers = _outwards(inner.headers)
            injection = Injection(reporter.TAG) if _is_page(request, inner) else None
            if injection is not None:
                headers.popall("Content-Length", None)
            outer = web.StreamResponse(status=inner.status, reason=inner.reason, headers=headers)
            await outer.prepare(request)
            try:
                async for piece in inner.content.iter_chunked(PIECE_BYTES):
                    if ready := injection.feed(piece) if injection else piece:
                        await outer.write(ready)
            except aiohttp.ClientError:
                # The head is out already: only a broken connection can still tell of it.
                if request.transport is not None:
                    request.transport.abort()
            else:
                if injection and (rest := injection.end()):
                    await outer.write(rest)
            return outer

    async def _relay_websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = request.headers.get("Sec-WebSocket-Protocol", "")
        async with self._session.ws_connect(
            _target(request),
            protocols=[each.strip() for each in asked.split(",") if each.strip()],
            headers={"Origin": connector.ORIGIN},
            max_msg_size=MAX_MESSAGE_BYTES,
        ) as inner:
            outer = web.WebSocketResponse(
                protocols=[inner.protocol] if inner.protocol else [],
                max_msg_size=MAX_MESSAGE_BYTES,
            )
            await outer.prepare(request)
            pumps = {
                asyncio.create_task(_pump(inner, outer), name=f"preview-out-{self._name}"),
                asyncio.create_task(_pump(outer, inner), name=f"preview-in-{self._name}"),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            await outer.close()
            return outer


async def _pump(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    sink: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)


def _is_page(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> bool:
    """Whether the answer is a whole document that a browser will show as a page."""
    return (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Dest", "document") in _DOCUMENTS
        and answer.content_type == "text/html"
        and answer.status not in (204, 206, 304)
        and "Content-Encoding" not in answer.headers
        and not (answer.charset or "").lower().startswith(("utf-16", "utf-32"))
    )


def _target(request: web.BaseRequest) -> URL:
    """The path exactly as it was asked for: Vite tells `%2F` from `/`."""
    return URL(connector.ORIGIN + request.raw_path, encoded=True)


def _inwards(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    passed = _end_to_end(headers)
    passed.popall("Host", None)
    if "Origin" in passed:
        passed["Origin"] = connector.ORIGIN
    if "text/html" in passed.get("Accept", ""):
        # Into a document that is compressed nothing can be put.
        passed["Accept-Encoding"] = "identity"
    return passed


def _outwards(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Without permissions for other origins, which the model's dev server has none to give."""
    return CIMultiDict(
        (name, value)
        for name, value in _end_to_end(headers).items()
        if not name.lower().startswith("access-control-")
    )


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {each.strip().lower() for each in headers.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _HOP_BY_HOP and name.lower() not in named
    )


def _not_answering(request: web.BaseRequest) -> web.Response:
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(status=503, text=_WAITING_PAGE, content_type="text/html")
    return _plain(503, "The preview is not answering yet.")


def _plain(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=reason)
