"""Things that are costly to have, and so are opened when somebody first needs them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Late(Generic[T]):
    """Opened once, at the first `get`, however many ask at the same time."""

    def __init__(self, open_it: Callable[[], Awaitable[T]]) -> None:
        self._open = open_it
        self._lock = asyncio.Lock()
        self._opened: T | None = None

    async def get(self) -> T:
        """The thing; raises what opening it raises, and tries anew at the next call."""
        async with self._lock:
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    @property
    def opened(self) -> T | None:
        """The thing if somebody needed it already."""
        return self._opened
