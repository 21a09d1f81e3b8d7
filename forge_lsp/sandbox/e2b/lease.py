"""How long a cloud sandbox lives without being used: E2B itself ends it."""

import logging
import math
from collections.abc import Awaitable, Callable

from forge_lsp.errors import ForgeError
from forge_lsp.sandbox.e2b.commands import Afterwards
from forge_lsp.sandbox.lease import Clock

log = logging.getLogger(__name__)

SLACK = 0.1
"""A lease is made this much longer than asked for, and told to E2B at most once in this part of
it, however often it is renewed."""


class CloudLease:
    """Runs out between `seconds` and `seconds` and a tenth after its last renewal."""

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        tell: Callable[[int], Awaitable[None]],
        afterwards: Afterwards,
    ) -> None:
        """`tell` gives E2B the seconds from now; the sandbox was just made with `duration_s`."""
        self._seconds = seconds
        self._clock = clock
        self._tell = tell
        self._afterwards = afterwards
        self._told_at = clock()

    def renew(self) -> None:
        """Start it anew; E2B is told without anybody's waiting."""
        if self._clock() - self._told_at >= self._seconds * SLACK:
            self._told_at = self._clock()
            self._afterwards(self._renew())

    async def _renew(self) -> None:
        try:
            await self._tell(duration_s(self._seconds))
        except ForgeError as error:
            log.warning("a sandbox's lease was not renewed: %s", error.message)
            self._told_at = -math.inf


def duration_s(seconds: float) -> int:
    """What E2B is told, in its whole seconds."""
    return math.ceil(seconds + seconds * SLACK)
