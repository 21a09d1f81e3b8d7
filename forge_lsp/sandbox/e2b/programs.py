"""Programs of the project, which are run once and with all that they start."""

import asyncio
import secrets
import shlex
from collections.abc import Sequence

from e2b import RateLimitException
from e2b.exceptions import ServiceBusyException

from forge_lsp.errors import ForgeError, SandboxFailed
from forge_lsp.ports.sandbox import OutputSink
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.commands import KILLED, Afterwards, Commands, Listener, too_slow
from forge_lsp.sandbox.e2b.failures import brief, is_passing
from forge_lsp.sandbox.e2b.files import APP
from forge_lsp.sandbox.output import FLOOD_BYTES, FLOOD_PAUSE_S, Screen

GRACE_S = 10.0
"""So much later than we, E2B ends a program, in case that we have died meanwhile."""
MAX_ARGUMENTS_BYTES = 64 * 1024

_MARK = "FORGE_RUN"
_END = (
    "for turn in 1 2 3 4 5 6 7 8 9; do "
    r"""found=$(grep -lsz '^{mark}$' /proc/[0-9]*/environ | cut -d/ -f3); """
    '[ -n "$found" ] || exit 0; kill -KILL $found; done'
)
"""Ends whatever has the mark in its environment: a program's children too, and theirs."""
_NEVER_BEGAN = (RateLimitException, ServiceBusyException)


class Programs:
    """Runs programs in the project's folder."""

    def __init__(self, commands: Commands, calls: Calls, afterwards: Afterwards) -> None:
        self._commands = commands
        self._calls = calls
        self._afterwards = afterwards

    async def run(self, words: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        """Run one and wait for its end; gives its exit code, or 128 and the signal that ended it.

        Nothing that it started lives on. It is run again only where E2B says that it didn't
        begin. Raises `SandboxFailed` where it takes too long or the connection to it breaks.
        """
        _check(words)

        async def once() -> int:
            return await self._once(words, on_output, timeout_s)

        return await self._calls.make(
            f"running {words[0]}", once, on_stage=lambda said: on_output(f"{said}\n")
        )

    async def _once(self, words: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        mark = secrets.token_hex(8)
        shown = (Shown(on_output), Shown(on_output))
        # With a word after it, the shell stays and tells which signal ended the program.
        command = f'PATH="$PWD/node_modules/.bin:$PATH"; (exec -- {shlex.join(words)}); exit $?'
        try:
            async with asyncio.timeout(timeout_s):
                code = await self._commands.once(
                    command,
                    Listener(shown[0].heard, shown[1].heard),
                    cwd=APP,
                    timeout_s=timeout_s + GRACE_S,
                    environment={_MARK: mark, "CI": "true", "NO_COLOR": "1"},
                )
        except TimeoutError as error:
            raise too_slow(words[0], timeout_s) from error
        except (ForgeError, *_NEVER_BEGAN):
            raise
        except Exception as error:
            if is_passing(error):
                raise _broken(words[0], error) from None
            raise
        finally:
            self._afterwards(self._end_marked(mark))
        for each in shown:
            each.end()
        return 128 + 9 if code == KILLED else code

    async def _end_marked(self, mark: str) -> None:
        command = _END.format(mark=f"{_MARK}={mark}")
        await self._commands.run("ending a program", command, cwd=".", timeout_s=30)


class Shown:
    """Passes on what a program prints, without control sequences."""

    def __init__(self, on_output: OutputSink) -> None:
        self._on_output = on_output
        self._screen = Screen()
        self._length = 0

    async def heard(self, piece: str) -> None:
        """Take in more; who prints very much at once is slowed down."""
        self._pass_on(self._screen.feed(piece.encode(errors="replace")))
        self._length += len(piece)
        if self._length >= FLOOD_BYTES:
            self._length = 0
            await asyncio.sleep(FLOOD_PAUSE_S)

    def end(self) -> None:
        """Nothing more comes."""
        self._pass_on(self._screen.end())

    def _pass_on(self, text: str) -> None:
        if text:
            self._on_output(text)


def _check(words: Sequence[str]) -> None:
    if not words or not words[0]:
        raise SandboxFailed("There is no command to run.", remedy="")
    if any("\0" in each for each in words):
        raise SandboxFailed("A command can't hold NUL characters.", remedy="")
    if sum(len(each.encode(errors="replace")) + 1 for each in words) > MAX_ARGUMENTS_BYTES:
        raise SandboxFailed("The command is too long.", remedy="")


def _broken(program: str, error: Exception) -> SandboxFailed:
    return SandboxFailed(
        f"{brief(error)} while {program} was running, so it was ended.",
        remedy="Run it again once the network is back; what it had done stays done.",
    )
