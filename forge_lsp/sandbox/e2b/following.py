"""The dev server's log, heard as it is written."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.sandbox.e2b.calls import FIRST_DELAY_S
from forge_lsp.sandbox.e2b.commands import Commands, Listener
from forge_lsp.sandbox.e2b.files import OWN
from forge_lsp.sandbox.log import Log
from forge_lsp.sandbox.news import Bell, News
from forge_lsp.sandbox.output import FLOOD_BYTES, FLOOD_PAUSE_S, Lines

log = logging.getLogger(__name__)

LOG_FILE = "dev-server.log"
MAX_DELAY_S = 15.0
ENDED = b"The dev server ended by itself with code "
"""As `dev-server.sh` begins that line."""

_FIRST_LINES = 500
_GAP = b"The connection to this log broke: some lines may be missing here."


class Following:
    """Follows the log by one program that runs in the sandbox for as long as somebody may listen.

    Nothing is followed before the first `begin`, nor while the sandbox is paused: following would
    wake it up.
    """

    def __init__(
        self,
        commands: Commands,
        is_running: Callable[[], Awaitable[bool]],
        page_answers: Callable[[], Awaitable[None]],
    ) -> None:
        """`is_running` looks without waking the sandbox, and raises `SandboxGone`, or
        `SandboxFailed` where it can't be known; `page_answers` waits for the dev server and
        raises `SandboxFailed`."""
        self.log = Log()
        self.news = News()
        self._commands = commands
        self._is_running = is_running
        self._page_answers = page_answers
        self._used = Bell()
        self._following: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._lines = Lines()
        self._heard_bytes = 0

    def begin(self) -> None:
        """Follow it from now on, and tell of the last lines before."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="e2b-dev-server-log")
            self._following.add_done_callback(_tell_failure)

    def used(self) -> None:
        """The sandbox is being used, so one that was paused goes on."""
        self._used.ring()

    async def close(self) -> None:
        """Follow it no more; the lines stay."""
        tasks = {each for each in (self._following, self._waiting) if each}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self) -> None:
        first, delay_s = _FIRST_LINES, FIRST_DELAY_S
        while True:
            last = self.log.last
            await self._listen(first)
            if self.log.last > last:
                self.log.add("server", [_GAP])
                first, delay_s = 0, FIRST_DELAY_S
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, MAX_DELAY_S)
            try:
                await self._until_running()
            except SandboxGone:
                return

    async def _listen(self, first: int) -> None:
        """Until the connection breaks or the program ends, neither of which it should."""
        command = f"exec tail -n {first} -F {LOG_FILE}"
        listener = Listener(self._hear, _ignore)
        try:
            await self._commands.once(command, listener, cwd=OWN, timeout_s=0)
        except Exception as error:  # noqa: BLE001 - Whatever it was, the log is read on.
            log.info("the dev server's log is not heard: %s", type(error).__name__)

    async def _until_running(self) -> None:
        while True:
            use = asyncio.ensure_future(self._used.rung())
            try:
                if await self._is_running():
                    return
                await use
            except SandboxGone:
                raise
            except ForgeError:
                await asyncio.sleep(MAX_DELAY_S)
            finally:
                use.cancel()

    async def _hear(self, piece: str) -> None:
        lines = self._lines.feed(piece.encode(errors="replace"))
        self.log.add("server", lines)
        if any(line.startswith(ENDED) for line in lines):
            self.news.happened()
            if self._waiting is None or self._waiting.done():
                self._waiting = asyncio.create_task(self._wait(), name="e2b-dev-server-return")
                self._waiting.add_done_callback(_tell_failure)
        self._heard_bytes += len(piece)
        if self._heard_bytes >= FLOOD_BYTES:
            self._heard_bytes = 0
            await asyncio.sleep(FLOOD_PAUSE_S)

    async def _wait(self) -> None:
        try:
            await self._page_answers()
        except SandboxFailed:
            # It doesn't come back, as has been told already.
            return
        self.news.happened()


def _ignore(_: str) -> None:
    """What `tail` itself has to say, such as that the file was begun anew."""


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the task %s broke", task.get_name(), exc_info=error)
