"""One sandbox at work."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from forge_lsp.sandbox.isolation.launch import Launched
from forge_lsp.sandbox.isolation.listening import listening_ports

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """Something that is looked at again and again, for as long as a sandbox runs."""

    name: str
    look: Callable[[], str | None]
    """Why the sandbox must end, as a sentence for people, or None. Called off the loop's thread."""
    interval_s: float


class Confined:
    """A process and all that descends from it, in a sandbox. Whoever has one must `kill` it."""

    def __init__(
        self,
        launched: Launched,
        listeners: Mapping[int, socket.socket],
        watches: Sequence[Watch],
        threads: Executor,
    ) -> None:
        self.pid = launched.bubblewrap.pid
        """Of bubblewrap, outside."""
        self.output = launched.output
        """Its stdout and stderr. Somebody must read it: a full pipe stops the sandbox."""
        self.listeners = listeners
        """Listening on the sandbox's own 127.0.0.1, by port; for the caller to close."""
        self.ended_because: str | None = None
        """Why it was ended unasked, for people."""
        self._launched = launched
        self._threads = threads
        self._tasks = [
            self._task("network", self._close_network()),
            *(self._task(watch.name, self._watch(watch)) for watch in watches),
        ]

    async def connect(self, port: int) -> socket.socket:
        """A connected, non-blocking socket to the sandbox's own 127.0.0.1.

        Raises OSError: refused where nobody listens, or unreachable where the sandbox has ended.
        """
        return await self._launched.network.connect(port)

    def listening(self) -> Sequence[int]:
        """The TCP ports that something in the sandbox listens on, and `connect` can reach."""
        return listening_ports(self._launched.init.pid)

    async def wait(self) -> int:
        """Wait for the end. The payload's exit code, or 128 and the signal that ended it."""
        await self._launched.bubblewrap.ended()
        code = self._launched.bubblewrap.exit_code
        return code if code >= 0 else 128 - code

    def is_running(self) -> bool:
        """False once the payload has ended, whatever it left running behind."""
        return self._launched.bubblewrap.is_running

    async def kill(self) -> None:
        """End all of it, and wait until it is gone. Ending what has ended is fine."""
        await self._launched.end()
        await asyncio.wait(self._tasks)

    async def _close_network(self) -> None:
        await self._launched.bubblewrap.ended()
        # The payload may end while something that it started runs on.
        self._launched.init.kill()
        await self._launched.network.close()

    async def _watch(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        while not await self._launched.bubblewrap.ended(within_s=watch.interval_s):
            try:
                reason = await loop.run_in_executor(self._threads, watch.look)
            except Exception:  # noqa: BLE001 - What can't be watched must not run on.
                _log.exception("the %s watch of sandbox process %d failed", watch.name, self.pid)
                reason = f"Its use of {watch.name} could not be watched."
            if reason and self.is_running():
                self.ended_because = reason
                _log.warning("ending sandbox process %d: %s", self.pid, reason)
                self._launched.init.kill()

    def _task(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"sandbox-{self.pid}-{name}")
