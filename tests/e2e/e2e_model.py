"""A server of the Messages API on loopback, which answers in whatever way a test tells it to."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from forge_lsp.claude import wire

MODEL = "scripted"


class ScriptedModel:
    """Answers every request with the same frames, until it is told others."""

    def __init__(self) -> None:
        self.url = ""
        """Without `/v1`, as ANTHROPIC_BASE_URL has it."""
        self.asked: list[str] = []
        """The body of each request."""
        self._frames: Sequence[bytes] = ()
        self._next: list[Sequence[bytes]] = []

    def says(self, *pieces: str) -> None:
        """From now on a whole reply of these pieces."""
        self._frames = list(wire.text_reply(pieces, model=MODEL))

    def says_in_turn(self, *replies: str) -> None:
        """These whole replies, one for each request; the last one goes on."""
        self._next = [list(wire.text_reply([reply], model=MODEL)) for reply in replies]

    def breaks_off_after(self, *pieces: str) -> None:
        """From now on a reply that fails once these pieces are said."""
        self._frames = [*_begun(pieces), wire.error("overloaded_error", "Overloaded")]

    def settings(self, *, repairs: bool = False) -> dict[str, str]:
        """The variables by which forge-lsp asks this one, once, and again for repairs if at all."""
        return {
            "FORGE_MODEL_PROVIDER": "anthropic",
            "FORGE_MODEL_ATTEMPTS": "1",
            "FORGE_REPAIR_AUTOMATIC": "true" if repairs else "false",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "none of its business",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One reply."""
        self.asked.append(await request.text())
        if self._next:
            self._frames = self._next.pop(0)
        response = web.StreamResponse(headers=wire.STREAM_HEADERS)
        await response.prepare(request)
        # Who has read enough hangs up.
        with suppress(ConnectionError):
            for frame in self._frames:
                await response.write(frame)
        return response


@asynccontextmanager
async def scripted_model() -> AsyncGenerator[ScriptedModel]:
    """One that listens."""
    model = ScriptedModel()
    application = web.Application(client_max_size=1 << 26)
    application.add_routes([web.post("/v1/messages", model.answer)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        model.url = f"http://{host}:{port}"
        yield model
    finally:
        await runner.cleanup()


def _begun(pieces: Sequence[str]) -> Iterator[bytes]:
    yield wire.message_start(MODEL)
    yield wire.block_start()
    yield from map(wire.text_delta, pieces)
