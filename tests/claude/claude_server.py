"""A server of the Messages API on loopback, which answers each request by the next script."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from forge_lsp.claude import wire


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the server got it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


class Connection:
    """The server's end of one request: a script writes its answer through this."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.client_has_gone = asyncio.Event()

    async def receive(self) -> Received:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Received(first.split()[1], headers, json.loads(body))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def open_stream(self) -> None:
        """Promises chunks, so that a connection that ends before the last one is seen as broken."""
        await self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def until_client_goes(self) -> None:
        """Say nothing more, and wait for the client to hang up."""
        while await self._reader.read(1024):
            pass
        self.client_has_gone.set()


Script = Callable[[Connection], Awaitable[None]]


class MessagesServer:
    """Where it listens, what it was asked, and the connections that it had."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self._scripts = iter(scripts)
        self.requests: list[Received] = []
        self.connections: list[Connection] = []
        self.was_asked = asyncio.Event()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        try:
            received = await connection.receive()
            self.requests.append(received)
            self.was_asked.set()
            await next(self._scripts)(connection)
        except ConnectionError:
            connection.client_has_gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncGenerator[MessagesServer]:
    """A server that runs `scripts` in turn, one for each request, and hangs up after each."""
    messages = MessagesServer(scripts)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(messages.answer(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    messages.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield messages
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
    faults = [answer for answer in answers if isinstance(answer, Exception)]
    assert not faults, faults


def streams(*frames: bytes) -> Script:
    """Answers with `frames` and a proper end of the body."""

    async def script(connection: Connection) -> None:
        await connection.open_stream()
        for frame in frames:
            await connection.chunk(frame)
        await connection.end_stream()

    return script


def replies(*pieces: str, **ending: Any) -> Script:
    """Answers with a whole reply; `ending` is as for `wire.text_reply`."""
    return streams(*wire.text_reply(pieces, model="claude-opus-5-5", **ending))


def breaks_off(*frames: bytes) -> Script:
    """Answers with `frames`, then hangs up in the middle of the body."""

    async def script(connection: Connection) -> None:
        await connection.open_stream()
        for frame in frames:
            await connection.chunk(frame)

    return script


def falls_silent(*frames: bytes) -> Script:
    """Answers with `frames`, then holds the connection without a word."""

    async def script(connection: Connection) -> None:
        await breaks_off(*frames)(connection)
        await connection.until_client_goes()

    return script


def refuses(status: int, kind: str, message: str, **headers: str) -> Script:
    """Answers with an error before any stream; `headers` in names with underscores."""
    error = wire.http_error(status, kind, message)
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return responds(status, error.body, **error.headers, **more)


def responds(status: int, body: bytes, **headers: str) -> Script:
    """Answers with any body."""

    async def script(connection: Connection) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"HTTP/1.1 {status} X\r\n{head}content-length: {len(body)}\r\n\r\n"
        await connection.send(start.encode() + body)

    return script


async def hangs_up(connection: Connection) -> None:
    """Answers with nothing at all."""


OPENING = (
    wire.message_start("claude-opus-5-5", wire.Tokens(input=10, output=1)),
    wire.block_start(),
)
