"""Programs that are run in a cloud sandbox."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from e2b import AsyncCommandHandle, AsyncSandbox, CommandExitException, TimeoutException
from e2b.exceptions import SandboxNotRunningException, SandboxUnreachableException

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.sandbox.e2b.calls import Calls

log = logging.getLogger(__name__)

MAX_CHARACTERS = 1_000_000
"""Of a program's output, the last ones are kept."""
KILLED = -1
"""The exit code of a program that a signal ended."""

Handle = AsyncCommandHandle[None]
Heard = Callable[[str], Awaitable[None]] | Callable[[str], None]
"""Takes some more of what a program prints; one that waits slows the program down."""
Afterwards = Callable[[Coroutine[Any, Any, None]], None]
"""Does work that nobody waits for, and that the sandbox's end waits for."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears what a program prints."""

    stdout: Heard
    stderr: Heard


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    output: str


class Recent:
    """About the last `max_characters` of a text that comes in pieces."""

    def __init__(self, max_characters: int) -> None:
        self._max = max_characters
        self._pieces: deque[str] = deque()
        self._length = 0

    @property
    def text(self) -> str:
        """What is left."""
        return "".join(self._pieces)

    def add(self, piece: str) -> None:
        """Take in more, and forget what is too long ago."""
        piece = piece[max(0, len(piece) - self._max) :]
        self._pieces.append(piece)
        self._length += len(piece)
        while self._length > self._max:
            self._length -= len(self._pieces.popleft())


class Commands:
    """Runs programs by the shell's words; whoever makes those quotes them.

    A signal reaches the program that was started and none of its children, so a command whose
    end matters begins with `exec`.
    """

    def __init__(self, sdk: AsyncSandbox, calls: Calls, afterwards: Afterwards) -> None:
        self._sdk = sdk
        self._calls = calls
        self._afterwards = afterwards

    async def run(
        self,
        doing: str,
        command: str,
        *,
        cwd: str,
        timeout_s: float,
        max_characters: int = MAX_CHARACTERS,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command that does no harm when it is run twice, and wait for its end.

        Whoever stops waiting ends the program too. Raises `SandboxFailed` where it takes longer
        than `timeout_s`.
        """

        async def once() -> Ended:
            output = Recent(max_characters)
            listener = Listener(output.add, output.add)
            code = await self.once(
                command, listener, cwd=cwd, timeout_s=timeout_s, environment=environment
            )
            return Ended(code, output.text)

        return await self._calls.make(doing, once)

    async def once(
        self,
        command: str,
        listener: Listener,
        *,
        cwd: str,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run a command, 0 s meaning for as long as it takes; gives its exit code or `KILLED`.

        Raises what the SDK raises, and `SandboxFailed` where it takes longer than `timeout_s`.
        """
        began = time.monotonic()
        handle = await self._started(command, cwd, timeout_s, listener, environment)
        try:
            code = (await handle.wait()).exit_code
        except CommandExitException as error:
            code = error.exit_code
        except (SandboxNotRunningException, SandboxUnreachableException):
            raise
        except TimeoutException as error:
            raise too_slow(command, timeout_s) from error
        finally:
            if handle.exit_code is None:
                self._afterwards(self._kill(handle))
        if code == KILLED and 0 < timeout_s <= time.monotonic() - began:
            raise too_slow(command, timeout_s)
        return code

    async def leave_running(self, doing: str, command: str, *, cwd: str) -> None:
        """Start a command that goes on when we don't look."""

        async def once() -> None:
            nobody = Recent(0).add
            handle = await self._started(command, cwd, 0, Listener(nobody, nobody), None)
            await handle.disconnect()

        await self._calls.make(doing, once)

    async def _started(
        self,
        command: str,
        cwd: str,
        timeout_s: float,
        listener: Listener,
        environment: Mapping[str, str] | None,
    ) -> Handle:
        """Whoever is cancelled here can't know the program's id yet, so its start goes on."""
        starting = asyncio.create_task(
            self._sdk.commands.run(
                command,
                background=True,
                envs=dict(environment or {}),
                cwd=cwd,
                timeout=timeout_s,
                on_stdout=listener.stdout,
                on_stderr=listener.stderr,
                retain_output=False,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._afterwards(self._kill_started(starting))
            raise

    async def _kill_started(self, starting: "asyncio.Task[Handle]") -> None:
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            await self._kill(starting.result())

    async def _kill(self, handle: Handle) -> None:
        try:
            await self._calls.make("ending a program", handle.kill)
        except SandboxGone:
            pass
        except ForgeError as error:
            log.warning("program %d may run on in its sandbox: %s", handle.pid, error.message)
        finally:
            await handle.disconnect()


def too_slow(command: str, timeout_s: float) -> SandboxFailed:
    """The error for a command that took longer than it may."""
    program = command.removeprefix("exec ").split(" ", 1)[0]
    return SandboxFailed(f"{program} did not end within {timeout_s:.0f} s.", remedy="")
