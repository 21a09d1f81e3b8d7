"""Programs that are run in a sandbox's folder, beside its dev server and as confined as that."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import OutputSink
from forge_lsp.sandbox.isolation.arguments import APP
from forge_lsp.sandbox.isolation.confinement import Confined, Confinement, Limits
from forge_lsp.sandbox.output import Screen, Tail, pieces_of

MAX_ARGUMENTS_BYTES = 64 * 1024
TYPES_TIMEOUT_S = 60.0
MAX_TYPE_LINES = 2_000
_TSC = "node_modules/typescript/bin/tsc"


@dataclass(frozen=True, slots=True)
class Programs:
    """Runs programs in one folder. Whoever stops waiting for one ends it."""

    confinement: Confinement
    folder: Path
    limits: Limits
    toolbox: Path | None
    """What the project's package manager is in, where the machine has none."""

    async def run(self, command: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        """The exit code, or 128 and the signal that ended it.

        `on_output` is given what it prints, as it comes. The project's own programs are found by
        their names. Raises `SandboxFailed` for no command, and where it takes longer than
        `timeout_s`.
        """
        _check(command)
        node = (await self.confinement.tools()).node.executable
        path = f"{APP}/node_modules/.bin:{node.parent}:/usr/local/bin:/usr/bin:/bin"
        confined = await self._spawn(command, {"PATH": path, "CI": "true", "NO_COLOR": "1"})

        async def follow() -> None:
            screen = Screen()
            async for piece in pieces_of(confined.output):
                if text := screen.feed(piece):
                    on_output(text)
            if text := screen.end():
                on_output(text)

        return await _ended(confined, follow(), command[0], timeout_s)

    async def run_tsc(self, arguments: Sequence[str]) -> tuple[int, str]:
        """The project's own type checker: its exit code and its output.

        Raises `SandboxFailed` where it takes longer than `TYPES_TIMEOUT_S`.
        """
        node = (await self.confinement.tools()).node.executable
        confined = await self._spawn([str(node), _TSC, *arguments], {})
        tail = Tail(MAX_TYPE_LINES)
        code = await _ended(confined, tail.read(confined.output), "tsc", TYPES_TIMEOUT_S)
        return code, tail.text

    async def _spawn(self, argv: Sequence[str], environment: dict[str, str]) -> Confined:
        return await self.confinement.spawn(
            argv,
            directory=self.folder,
            environment=environment,
            limits=self.limits,
            toolbox=self.toolbox,
        )


async def _ended(
    confined: Confined, following: Coroutine[None, None, None], name: str, timeout_s: float
) -> int:
    try:
        async with asyncio.timeout(timeout_s):
            await following
            return await confined.wait()
    except TimeoutError as error:
        raise SandboxFailed(f"{name} did not end within {timeout_s:.0f} s.", remedy="") from error
    finally:
        await confined.kill()


def _check(command: Sequence[str]) -> None:
    if not command or not command[0]:
        raise SandboxFailed("There is no command to run.", remedy="")
    if any("\0" in each for each in command):
        raise SandboxFailed("A command can't hold NUL characters.", remedy="")
    if sum(len(each.encode(errors="replace")) + 1 for each in command) > MAX_ARGUMENTS_BYTES:
        raise SandboxFailed("The command is too long.", remedy="")
