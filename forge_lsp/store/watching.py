"""Who waits for news from the database, and how they are told of it from another thread."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress

CANCELS = "cancels"
"""What whoever waits for wishes to cancel watches; the others watch a run by its id."""

_FRAGMENTS = "fragments of "


def fragments_of(project: str) -> str:
    """What whoever waits for a project's fragments to change watches."""
    return f"{_FRAGMENTS}{project}"


class Watch:
    """One who waits; see `ports.store.Watch`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    async def changed(self, timeout_s: float) -> None:
        """Wait for news since the last call, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        self._news.clear()

    def tell(self) -> None:
        """There is news; from any thread."""
        # Who waited in a loop that has ended waits no more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)


class Watches:
    """All who wait, by what they wait for."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        """Somebody waits."""
        self._lock = threading.Lock()
        self._of: defaultdict[str, set[Watch]] = defaultdict(set)
        self._is_closed = False

    @contextmanager
    def open(self, of: str) -> Generator[Watch]:
        """Wait for news of a run, or of `CANCELS`."""
        watch = Watch()
        with self._lock:
            self._of[of].add(watch)
            self.wanted.set()
        try:
            yield watch
        finally:
            with self._lock:
                self._of[of].discard(watch)
                if not self._of[of]:
                    del self._of[of]
                if not self._of and not self._is_closed:
                    self.wanted.clear()

    def close(self) -> None:
        """Wake the thread that looks for news, for good: it is to end."""
        with self._lock:
            self._is_closed = True
            self.wanted.set()

    @property
    def watched(self) -> list[str]:
        """What somebody waits for."""
        with self._lock:
            return list(self._of)

    def tell(self, of: str) -> None:
        """There is news of a run, or of `CANCELS`."""
        with self._lock:
            told = list(self._of.get(of, ()))
        for watch in told:
            watch.tell()

    def tell_of_fragments(self, project: str) -> None:
        """A fragment of the project has become another; of any, where the name is empty."""
        if project:
            self.tell(fragments_of(project))
            return
        for of in self.watched:
            if of.startswith(_FRAGMENTS):
                self.tell(of)

    def tell_all(self) -> None:
        """There may be news of anything."""
        for of in self.watched:
            self.tell(of)
