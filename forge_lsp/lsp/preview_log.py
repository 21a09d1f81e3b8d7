"""A sandbox's log in the editor's log channel, at a pace that any editor can take."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from forge_lsp.lsp.client import Client
from forge_lsp.lsp.plain import plain

if TYPE_CHECKING:
    from forge_lsp.ports.sandbox import LogLine, Sandbox

PREFIX = "[preview] "
TELL_EVERY_S = 0.05
"""At most twenty messages a second."""
FLOOD_PAUSE_S = 1.0
"""After a message that had to leave lines out."""
MOST_LINES_TOLD = 40
"""In one message; of more that came meanwhile the last ones are told."""
MOST_LINE_CHARACTERS = 500


class PreviewLog:
    """Passes on the lines of one sandbox, from its first one."""

    def __init__(
        self, client: Client, sandbox: "Sandbox", drained: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._sandbox = sandbox
        self._drained = drained
        self._told = 0
        """The `seq` of the last line that was told, or left out."""

    async def pass_on(self) -> None:
        """Go on until the sandbox has ended; raises `SandboxGone` then."""
        while True:
            await self._sandbox.log_grew(self._told)
            await self._drained()
            flooded = self.tell_new()
            await asyncio.sleep(FLOOD_PAUSE_S if flooded else TELL_EVERY_S)

    def tell_new(self) -> bool:
        """Tell what has come since the last time; whether that was too much to be told whole."""
        before, lines = self._told, self._newest()
        if not lines:
            return False
        self._told = lines[-1].seq
        left_out = self._told - before - len(lines)
        told = [f"({left_out} lines are left out; see forge.sandbox.logs)"] if left_out else []
        told += map(_shown, lines)
        self._client.log("\n".join(f"{PREFIX}{line}" for line in told))
        return left_out > 0

    def _newest(self) -> "Sequence[LogLine]":
        newest: list[LogLine] = []
        last = self._told
        while page := self._sandbox.logs(last):
            newest = [*newest, *page][-MOST_LINES_TOLD:]
            last = page[-1].seq
        return newest


def _shown(line: "LogLine") -> str:
    text = plain(line.text, MOST_LINE_CHARACTERS).replace("\r", " ").replace("\n", " ")
    return f"(page) {text}" if line.source == "page" else text
