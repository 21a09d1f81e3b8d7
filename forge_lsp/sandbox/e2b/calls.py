"""Calls of the SDK: made again while that may help, and failing in our words."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from forge_lsp.errors import ForgeError
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox.e2b.cloud import Cloud
from forge_lsp.sandbox.e2b.failures import brief, explained, is_passing

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Calls:
    """How patient we are with E2B."""

    cloud: Cloud
    attempts: int
    max_delay_s: float

    async def make(
        self,
        doing: str,
        call: Callable[[], Awaitable[Answer]],
        on_stage: StageSink = log.warning,
    ) -> Answer:
        """Make a call that does no harm when it is made twice.

        `doing` completes "while …". Raises `SandboxGone` and `SandboxFailed`; errors of ours
        that the call itself raises go through as they are.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return await call()
            except ForgeError:
                raise
            except Exception as error:  # noqa: BLE001 - All are raised again, in our words.
                # Some layers of the SDK turn a cancellation into an error of theirs.
                _raise_if_cancelled()
                if attempt == self.attempts or not is_passing(error):
                    raise self._ours(error, doing) from self._printable(error)
                delay_s = min(self.max_delay_s, FIRST_DELAY_S * 2 ** (attempt - 1))
                delay_s *= random.uniform(0.5, 1)  # noqa: S311 - Spreads clients, hides nothing.
                on_stage(
                    f"{brief(error)}; trying again in {delay_s:.1f} s "
                    f"({attempt} of {self.attempts - 1})..."
                )
            await asyncio.sleep(delay_s)
        raise AssertionError("unreachable")

    def _ours(self, error: Exception, doing: str) -> ForgeError:
        ours = explained(error, doing)
        return type(ours)(self.cloud.hide_key(ours.message), remedy=ours.remedy)

    def _printable(self, error: Exception) -> Exception | None:
        return None if self.cloud.tells_key(error) else error


def _raise_if_cancelled() -> None:
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
