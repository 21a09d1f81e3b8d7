"""Serves editors over stdio, TCP and WebSocket, and ends in time whatever ends it.

The loop is ours, not pygls': so `finally` runs on a signal, and HTTP can live beside it.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, cast

from pygls.io_ import run_async, run_websocket

from forge_lsp.lsp.connection import Connection, MountHttp
from forge_lsp.lsp.pipes import PipeWriter, reader_of
from forge_lsp.lsp.session import OpenEngine

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 1.0
"""For the runs' last words and the sandboxes' ends."""
HARD_END_S = 1.3
"""Then the process goes, whatever hangs: editors kill it after two seconds anyway."""
FLUSH_TIMEOUT_S = 0.2
MAX_BACKLOG_BYTES = 4_000_000
"""What may wait for a slow editor before the followers of runs wait, too."""
LOOK_EVERY_S = 0.02

OnListening = Callable[[int], None]
"""Is told the port, which matters where port 0 was asked for."""


async def serve_stdio(open_engine: OpenEngine, mount_http: MountHttp | None = None) -> int:
    """Serve the one editor at standard input and output; gives the exit code.

    Only for a process of its own: where closing hangs, the process is ended.
    """
    _quiet_pygls()
    # What prints by mistake, here or in a library, must not end up in the protocol.
    protocol_out = os.dup(1)
    os.dup2(2, 1)
    stop = asyncio.Event()
    writer = PipeWriter(protocol_out, stop.set)
    connection = Connection(open_engine, mount_http, lambda: _drained(lambda: writer.backlog))
    connection.server.protocol.set_writer(writer)
    with _stopped_by_signals(stop):
        await _serve(connection, _read(connection, reader_of(0)), stop, _end_hard)
        await writer.closed(FLUSH_TIMEOUT_S)
    return connection.exit_code


async def serve_tcp(
    open_engine: OpenEngine,
    host: str,
    port: int,
    mount_http: MountHttp | None,
    on_listening: OnListening,
) -> None:
    """Serve every editor that connects, each with an engine of its own, until a signal."""
    _quiet_pygls()
    stop = asyncio.Event()
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(cast("asyncio.Task[None]", asyncio.current_task()))
        transport = writer.transport
        connection = Connection(
            open_engine, mount_http, lambda: _drained(transport.get_write_buffer_size)
        )
        connection.server.protocol.set_writer(cast("Any", writer))
        await _serve(connection, _read(connection, reader), stop)
        writer.close()

    server = await asyncio.start_server(serve, host, port)
    on_listening(server.sockets[0].getsockname()[1])
    with _stopped_by_signals(stop):
        await stop.wait()
        server.close()
        await asyncio.gather(*served)


async def serve_websocket(
    open_engine: OpenEngine,
    host: str,
    port: int,
    mount_http: MountHttp | None,
    on_listening: OnListening,
) -> None:
    """The same over WebSocket, a message a frame."""
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    _quiet_pygls()
    stop = asyncio.Event()

    async def serve(websocket: ServerConnection) -> None:
        transport = websocket.transport
        connection = Connection(
            open_engine, mount_http, lambda: _drained(transport.get_write_buffer_size)
        )
        server = connection.server
        reading = run_websocket(
            websocket, threading.Event(), server.protocol, log, server.report_server_error
        )
        await _serve(connection, reading, stop)

    # A browser names the page that asks; no web page may drive an editor's server.
    async with listen(serve, host, port, origins=[None]) as server:
        on_listening(next(iter(server.sockets)).getsockname()[1])
        with _stopped_by_signals(stop):
            await stop.wait()


async def _serve(
    connection: Connection,
    reading: Coroutine[Any, Any, None],
    stop: asyncio.Event,
    on_end: Callable[[Connection], None] | None = None,
) -> None:
    """Serve until the input ends, the client says so, or `stop`; then close, in time."""
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(reading, name="read from the editor"),
        asyncio.create_task(connection.ended.wait(), name="wait for the client's exit"),
        asyncio.create_task(stop.wait(), name="wait for a signal"),
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if on_end is not None:
        on_end(connection)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()
    except TimeoutError:
        log.error("closing took too long; what is left is ended with the process")


def _end_hard(connection: Connection) -> None:
    """See to it that the process goes, whatever hangs."""
    timer = threading.Timer(HARD_END_S, os._exit, [connection.exit_code])
    timer.daemon = True
    timer.start()


async def _read(connection: Connection, reader: asyncio.StreamReader) -> None:
    server = connection.server
    try:
        await run_async(threading.Event(), reader, server.protocol, log, server.report_server_error)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        # Cut off within a message, or a header that never ends: nothing more can be understood.
        log.info("the editor's connection ended: %s", type(error).__name__)


async def _drained(backlog: Callable[[], int]) -> None:
    """Wait while an editor is slow: whoever follows a run loses nothing by it."""
    while backlog() > MAX_BACKLOG_BYTES:  # noqa: ASYNC110 - No transport tells when it is less.
        await asyncio.sleep(LOOK_EVERY_S)


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for each in signals:
        loop.add_signal_handler(each, stop.set)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def _quiet_pygls() -> None:
    """It logs messages with prompts and files in them, and each refusal as a fault; what is a
    fault also comes to `report_server_error`."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
