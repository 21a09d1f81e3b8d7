"""Standard input and output for a loop that nothing may hold up.

Both are served by daemon threads: a read that never returns must not keep the process alive, an
editor that doesn't read must not stop the loop, and the descriptors stay as they were given (to
make them non-blocking would change them for whoever shares them).
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable

_CHUNK_BYTES = 65_536
_MAX_HEADER_BYTES = 65_536


def reader_of(descriptor: int) -> asyncio.StreamReader:
    """What comes in at `descriptor`, as a stream of the running loop."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader(limit=_MAX_HEADER_BYTES, loop=loop)

    def pump() -> None:
        # The loop may be closed by the time that something comes in.
        with contextlib.suppress(RuntimeError):
            while chunk := _read(descriptor):
                loop.call_soon_threadsafe(stream.feed_data, chunk)
            loop.call_soon_threadsafe(stream.feed_eof)

    threading.Thread(target=pump, name=f"reader of {descriptor}", daemon=True).start()
    return stream


class PipeWriter:
    """Queues what is to go out at a descriptor, in order."""

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        """`on_broken` is called in the loop once the other end is gone."""
        self.backlog = 0
        """Bytes that wait to be taken."""
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._pump, name=f"writer of {descriptor}", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Never blocks."""
        self.backlog += len(data)
        self._queue.put(data)

    def close(self) -> None:
        """Nothing is taken after what was written so far."""
        self._queue.put(b"")

    async def closed(self, timeout_s: float) -> None:
        """Close, and wait at most so long until all is out."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()

    def _pump(self) -> None:
        # The loop may be closed by the time that the other end has taken everything.
        with contextlib.suppress(RuntimeError):
            while data := self._queue.get():
                try:
                    _write(self._descriptor, data)
                except OSError:
                    self._loop.call_soon_threadsafe(self._on_broken)
                    break
                self._loop.call_soon_threadsafe(self._taken, len(data))
            self._loop.call_soon_threadsafe(self._ended.set)

    def _taken(self, count: int) -> None:
        self.backlog -= count


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:
        # A terminal that hung up and a descriptor that was closed are the end of the input.
        return b""


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
