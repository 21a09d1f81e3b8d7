"""Ends runs that nobody listens to any more."""

import asyncio
import contextlib
import logging

from forge_lsp.errors import Conflict, NotFound, StoreFailed
from forge_lsp.runs import Run, Runs

log = logging.getLogger(__name__)

LOOKS = 20
"""How often a run is looked at within the time that it may be alone."""


class Attendance:
    """Watches runs that were asked for over HTTP; each has a task, which ends with the run."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Run] = {}
        """Each with the run that it watches."""

    def watch(self, runs: Runs, run: Run, grace_s: float) -> None:
        """Cancel the run once it has had no listener for `grace_s` seconds."""
        task = asyncio.create_task(_attend(runs, run, grace_s), name=f"attendance of {run.id}")
        self._tasks[task] = run
        task.add_done_callback(self._ended)

    def count(self, run: Run) -> None:
        """Count the run among the account's until it ends, whether or not anybody listens."""
        task = asyncio.create_task(_until_ended(run), name=f"attendance of {run.id}")
        self._tasks[task] = run
        task.add_done_callback(self._ended)

    def active(self, account: str) -> int:
        """How many of the account's runs are under way here."""
        # Who has heard a run's last word may start another in its place.
        return sum(
            run.record.account == account and not run.is_finished for run in self._tasks.values()
        )

    async def close(self) -> None:
        """Stop watching; the runs go on."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()):
            log.error("%s broke", task.get_name(), exc_info=error)


async def _until_ended(run: Run) -> None:
    await run.finished()


async def _is_heard_elsewhere(runs: Runs, run: Run) -> bool:
    try:
        return await runs.was_heard_elsewhere(run)
    except StoreFailed:
        # Nobody can listen there who can't be known of, so the run is not cancelled for that.
        return True


async def _attend(runs: Runs, run: Run, grace_s: float) -> None:
    clock = asyncio.get_running_loop().time
    last_heard = clock()
    while clock() - last_heard < grace_s:
        try:
            async with asyncio.timeout(grace_s / LOOKS):
                await run.finished()
            return
        except TimeoutError:
            if run.listeners or await _is_heard_elsewhere(runs, run):
                last_heard = clock()
    log.info("run %s is cancelled: nobody listened for %.0f s", run.id, grace_s)
    # It may end by itself in just this moment.
    with contextlib.suppress(Conflict, NotFound):
        await runs.cancel(run.id)
