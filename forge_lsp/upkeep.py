"""What is done for the store now and then: ending the runs of the dead, tidying up journals."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from forge_lsp.errors import StoreFailed
from forge_lsp.ports.store import Store
from forge_lsp.runs import Runs
from forge_lsp.settings import RunSettings

log = logging.getLogger(__name__)

ORPHANS_EVERY_S = 3.0
TIDY_FIRST_S = 60.0
"""How long after the opening journals are tidied up for the first time: the start comes first."""
TIDY_EVERY_S = 3600.0


class Upkeep:
    """The tasks that do so, from `start` to `close`."""

    def __init__(self, runs: Runs, store: Store, settings: RunSettings) -> None:
        self._runs = runs
        self._store = store
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the background."""
        self._tasks = [
            asyncio.create_task(self._end_orphans(), name="end orphans"),
            asyncio.create_task(self._tidy(), name="tidy up journals"),
        ]
        for task in self._tasks:
            task.add_done_callback(_log_death)

    async def close(self) -> None:
        """Stop; what is under way in the store is carried through there."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _end_orphans(self) -> None:
        while True:
            await asyncio.sleep(ORPHANS_EVERY_S)
            await _try("runs of dead processes were not ended", self._runs.end_orphans())

    async def _tidy(self) -> None:
        await asyncio.sleep(TIDY_FIRST_S)
        while True:
            tidying = self._store.tidy(
                keep_days=self._settings.keep_days,
                keep_mb=self._settings.keep_mb,
                compact_after_h=self._settings.compact_after_h,
            )
            await _try("journals were not tidied up", tidying)
            await asyncio.sleep(TIDY_EVERY_S)


async def _try(failed: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except StoreFailed as error:
        log.warning("%s: %s", failed, error.message)


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the task %s broke", task.get_name(), exc_info=error)
