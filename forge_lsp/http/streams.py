"""Carries a run's events to one client at the client's own pace."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, cast

from aiohttp import web

from forge_lsp.errors import ForgeError
from forge_lsp.events import Recorded, RunFinished
from forge_lsp.runs import INTERNAL_ERROR
from forge_lsp.settings import HttpSettings

log = logging.getLogger(__name__)

MAX_WAITING_BYTES = 256 * 1024
"""What waits for a slow client at most, beside the one event that goes over it."""
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class Wire(Protocol):
    """How a run is told to one client, in bytes."""

    @property
    def content_type(self) -> str:
        """The header's value."""
        ...

    @property
    def silence(self) -> bytes:
        """Said after each `http.heartbeat_s` without another word; empty where nothing is."""
        ...

    def say(self, recorded: Recorded) -> bytes:
        """What the event adds to the stream; empty where it has no word here."""
        ...

    def fail(self, code: str, message: str) -> bytes:
        """A last word that the run itself did not say."""
        ...


@dataclass(frozen=True, slots=True)
class LastWord:
    """Why a stream ends before its run has said its own last word."""

    code: str
    message: str


INTERRUPTED = LastWord("interrupted", "The run was interrupted. Start it again.")
STOPPING = LastWord(
    "unavailable", "The server is stopping; the run goes on, or is cancelled with it."
)


class Outbox:
    """What is rendered and not yet sent: filled from the journal, emptied by the writer."""

    def __init__(self, wire: Wire) -> None:
        self.is_ended = False
        """The last word is in."""
        self._wire = wire
        self._waiting = bytearray()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def fill(self, journal: AsyncIterator[Recorded]) -> None:
        """Take everything that the run says, as fast as there is room for it."""
        # `subscribe` is a generator, which has to be closed for its listener to be gone.
        try:
            async with aclosing(cast("AsyncGenerator[Recorded, None]", journal)) as recordings:
                async for recorded in recordings:
                    if not self.is_ended:
                        await self._put(recorded)
                    if self.is_ended:
                        return
            self.end(INTERRUPTED)
        except ForgeError as error:
            self.end(LastWord(error.code, error.for_people()))
        except Exception:
            # A fault of ours must not leave the client without a last word; the log has the rest.
            log.exception("a stream broke")
            self.end(LastWord("internal_error", INTERNAL_ERROR))

    def end(self, last: LastWord) -> None:
        """Say a last word that the run itself did not say."""
        if not self.is_ended:
            self._waiting += self._wire.fail(last.code, last.message)
            self._filled.set()
            self.is_ended = True

    async def take(self, timeout_s: float) -> bytes:
        """All that waits, as one piece; empty where nothing came within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return b""
        taken = bytes(self._waiting)
        self._waiting.clear()
        self._emptied.set()
        if not self.is_ended:
            self._filled.clear()
        return taken

    async def _put(self, recorded: Recorded) -> None:
        self._waiting += self._wire.say(recorded)
        self.is_ended = isinstance(recorded.event, RunFinished)
        # An event without a word on this wire is no reason to wake the writer.
        if self._waiting:
            self._filled.set()
        while len(self._waiting) > MAX_WAITING_BYTES and not self.is_ended:
            self._emptied.clear()
            await self._emptied.wait()


class Streams:
    """Every stream that is open, so that each gets a last word when the server stops."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._open: set[Outbox] = set()

    async def send(
        self,
        request: web.Request,
        run_id: str,
        journal: AsyncIterator[Recorded],
        wire: Wire,
    ) -> web.StreamResponse:
        """Stream the run to the client until its last word, or until the client is gone."""
        headers = {"Content-Type": wire.content_type, **HEADERS, "X-Run-Id": run_id}
        response = web.StreamResponse(headers=headers)
        outbox = Outbox(wire)
        self._open.add(outbox)
        filling = asyncio.create_task(outbox.fill(journal), name=f"stream of {run_id}")
        try:
            await response.prepare(request)
            await _write(request, response, outbox, self._settings, wire.silence)
            await response.write_eof()
        except (ConnectionError, TimeoutError):
            # The client has left or takes nothing any more; the run goes on without it.
            _hang_up(request)
        finally:
            self._open.discard(outbox)
            filling.cancel()
            await asyncio.wait([filling])
        return response

    def stop(self) -> None:
        """End every stream with a word of why."""
        for outbox in tuple(self._open):
            outbox.end(STOPPING)


async def _write(
    request: web.Request,
    response: web.StreamResponse,
    outbox: Outbox,
    settings: HttpSettings,
    silence: bytes,
) -> None:
    while True:
        data = await outbox.take(settings.heartbeat_s)
        is_last = outbox.is_ended
        if not data and not is_last:
            data = silence
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        if data:
            async with asyncio.timeout(settings.stall_timeout_s):
                await response.write(data)
        if is_last:
            return


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
