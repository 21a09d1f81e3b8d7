"""`Idempotency-Key`: a request that is sent again is answered again, and done once.

Within 24 hours the same key with the same request gives the first answer: an answer as it was, a
stream by its run's journal from the start, live where that still goes on. The same key with
another request is a conflict. A failure is not kept: nothing came of it, so it may be tried again.
Keys of one account mean nothing to another.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from forge_lsp.actions.engine import Engine
from forge_lsp.clock import now_ms
from forge_lsp.errors import Conflict, InvalidRequest
from forge_lsp.http import sse
from forge_lsp.http.bodies import received
from forge_lsp.http.sse import ApplyRendering, GenerateRendering, ServerSentEvents
from forge_lsp.http.state import CALLER, ON_RUN, STREAMS, engine_of
from forge_lsp.http.streams import Wire
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.ports.accounts import AnswerRecord
from forge_lsp.ports.store import RunRecord

log = logging.getLogger(__name__)

KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""Stands, as `true`, on an answer that was given before."""
KEPT_FOR_MS = 24 * 60 * 60 * 1000
_METHODS = frozenset({hdrs.METH_POST, hdrs.METH_PATCH})
_FIT_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = (hdrs.CONTENT_TYPE, hdrs.ETAG, hdrs.LOCATION)


def _generation(_request: web.Request, _run: RunRecord) -> Wire:
    return ServerSentEvents(GenerateRendering(), sse.HEARTBEAT)


def _apply(_request: web.Request, _run: RunRecord) -> Wire:
    return ServerSentEvents(ApplyRendering())


def _lines(request: web.Request, run: RunRecord) -> Wire:
    return wire_of(run, request.headers.get(hdrs.ACCEPT, ""))


STREAMED: Mapping[str, Callable[[web.Request, RunRecord], Wire]] = MappingProxyType(
    {
        "/api/generate/stream": _generation,
        "/api/apply/stream": _apply,
        "/v1/apps/generate": _lines,
        "/v1/chats/{id}/messages": _lines,
        "/v1/skills/run": _lines,
        "/v1/augmenters/run": _lines,
    }
)
"""By route: how a run that it started is told again."""


class _UnderWay:
    """The requests with a key that this process is about to answer."""

    def __init__(self) -> None:
        self._settled: dict[tuple[str, str], asyncio.Event] = {}

    def begin(self, claim: AnswerRecord) -> None:
        """Somebody is about to answer it."""
        self._settled[claim.account, claim.key] = asyncio.Event()

    def settle(self, claim: AnswerRecord) -> None:
        """Its answer is kept, or there is none."""
        if event := self._settled.pop((claim.account, claim.key), None):
            event.set()

    async def settled(self, claim: AnswerRecord) -> bool:
        """Wait for who is about to answer it; False where nobody is."""
        event = self._settled.get((claim.account, claim.key))
        if event is None:
            return False
        await event.wait()
        return True


def answer_once() -> Middleware:
    """Answers each request that has a key once, and from what is kept after that."""
    under_way = _UnderWay()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        keys = request.headers.getall(KEY, ())
        is_routed = request.match_info.http_exception is None
        if not keys or request.method not in _METHODS or not is_routed or CALLER not in request:
            return await handler(request)
        engine = await engine_of(request)
        claim = await _claim_for(request, keys, engine.store.owner)
        known = await _known(engine, claim, under_way)
        if known is None:
            return await _answer_first(request, handler, engine, claim, under_way)
        if known.fingerprint != claim.fingerprint:
            raise Conflict("The Idempotency-Key was used for another request")
        return await _answer_again(request, engine, known)

    return check


async def _claim_for(request: web.Request, keys: Sequence[str], owner: str) -> AnswerRecord:
    if len(keys) != 1 or not _FIT_KEY.fullmatch(keys[0]):
        raise InvalidRequest(f"{KEY}: 1 to 255 printable ASCII characters without spaces are taken")
    # aiohttp keeps it, so the route gets the same.
    body = await received(request)
    asked = b"\0".join([request.method.encode(), request.rel_url.raw_path_qs.encode(), body])
    return AnswerRecord(
        account=request[CALLER].account,
        key=sha256(keys[0].encode()).hexdigest(),
        fingerprint=sha256(asked).hexdigest(),
        owner=owner,
        claimed_at=now_ms(),
    )


async def _known(engine: Engine, claim: AnswerRecord, under_way: _UnderWay) -> AnswerRecord | None:
    """What was kept under the key; None where it is ours to answer now.

    Raises `Conflict` while another process is about to answer it.
    """
    while True:
        known = await engine.store.claim_answer(claim, since=claim.claimed_at - KEPT_FOR_MS)
        if known is None:
            under_way.begin(claim)
            return None
        if known.is_answered or known.fingerprint != claim.fingerprint:
            return known
        if known.owner != claim.owner:
            if await engine.store.living([known.owner]):
                raise Conflict("The first request with this Idempotency-Key is still under way")
        elif await under_way.settled(claim):
            continue
        # Whoever claimed it died, or was cut off, before there was an answer.
        await engine.store.drop_answer(known)


async def _answer_first(
    request: web.Request,
    handler: Handler,
    engine: Engine,
    claim: AnswerRecord,
    under_way: _UnderWay,
) -> web.StreamResponse:
    is_kept = False

    async def keep_run(run_id: str) -> None:
        nonlocal is_kept
        # An answer that isn't a stream is kept whole, also where it names the run that it began.
        if not is_kept:
            await engine.store.save_answer(replace(claim, run_id=run_id))
            is_kept = True
            under_way.settle(claim)

    request.setdefault(ON_RUN, []).append(keep_run)
    try:
        response = await handler(request)
        if not is_kept and isinstance(response, web.Response):
            await engine.store.save_answer(_kept(claim, response))
            is_kept = True
        return response
    finally:
        try:
            if not is_kept:
                await engine.store.drop_answer(claim)
        finally:
            under_way.settle(claim)


def _kept(claim: AnswerRecord, response: web.Response) -> AnswerRecord:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return replace(
        claim,
        status=response.status,
        headers=msgspec.json.encode(headers).decode(),
        body=response.body if isinstance(response.body, bytes) else b"",
    )


async def _answer_again(
    request: web.Request, engine: Engine, known: AnswerRecord
) -> web.StreamResponse:
    if known.run_id is not None:
        run = await engine.runs.readable(known.run_id)
        resource = request.match_info.route.resource
        wire = STREAMED[resource.canonical if resource else ""](request, run)
        journal = engine.runs.subscribe(run.id)
        return await request.app[STREAMS].send(request, run.id, journal, wire)
    headers = msgspec.json.decode(known.headers, type=dict[str, str])
    status = known.status or 200
    return web.Response(body=known.body, status=status, headers={**headers, REPLAYED: "true"})
