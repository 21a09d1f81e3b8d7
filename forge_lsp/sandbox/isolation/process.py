"""Processes, watched through pidfds: no thread each, and no mix-up when an id is used again."""

import asyncio
import contextlib
import os
import signal
import subprocess


class Process:
    """Any process of this machine. Make it on the event loop's thread, and `close` it."""

    def __init__(self, pid: int) -> None:
        """Raises `ProcessLookupError` where it is gone already."""
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._notice_end)

    @property
    def is_running(self) -> bool:
        """False as soon as the loop has noticed the end."""
        return not self._ended.done()

    async def ended(self, *, within_s: float | None = None) -> bool:
        """Wait for the end of all its threads; False where that took longer than asked."""
        await asyncio.wait({self._ended}, timeout=within_s)
        return self._ended.done()

    def kill(self) -> None:
        """Send SIGKILL; nothing where it has ended."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def _notice_end(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._ended.set_result(None)


class Child(Process):
    """A process that we started, in a session of its own, and must reap.

    What it left in its process group ends with it.
    """

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started
        super().__init__(started.pid)

    @property
    def exit_code(self) -> int:
        """As `subprocess` counts it: negative for a signal. Only to be read after the end."""
        return self._started.wait()

    def _notice_end(self) -> None:
        # bubblewrap may be killed before its sandbox has been told to die with it, which waits for
        # it for ever then. Until it is reaped, nothing else can be a group of its id.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._started.wait()
        super()._notice_end()
