"""Waiting for something to happen, without missing it."""

import asyncio


class Bell:
    """Wakes all who wait when it is rung."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._next.set()
        self._next = asyncio.Event()

    async def rung(self) -> None:
        """Wait for the next time."""
        await self._next.wait()


class News:
    """What has happened that a watcher has yet to hear of; several at once are one."""

    def __init__(self) -> None:
        self._happened = 0
        self._heard = 0
        self._bell = Bell()

    def happened(self) -> None:
        """Let the watcher know."""
        self._happened += 1
        self._bell.ring()

    async def heard(self) -> None:
        """Wait until something has happened since the last call."""
        known = self._heard
        while self._happened == known:
            await self._bell.rung()
        self._heard = self._happened
