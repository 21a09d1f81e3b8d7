"""Being told to end, by Ctrl-C or by whoever started us."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import typer

T = TypeVar("T")

INTERRUPTED = 130


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to; being interrupted ends the command with 130 and without a trace."""
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None


@asynccontextmanager
async def told_to_end() -> AsyncGenerator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they do otherwise."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, end.set)
    try:
        yield end
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
