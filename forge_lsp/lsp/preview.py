"""Follows one sandbox of a workspace: what is wrong in it, what it says, how it looks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.lsp.diagnostics import Mark, marks_of
from forge_lsp.lsp.preview_log import PreviewLog
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.ports.sandbox import DiagnosticsReport, Sandbox
    from forge_lsp.runs import Run

log = logging.getLogger(__name__)

SETTLE_S = 0.1
"""Before a look; what is asked for meanwhile, as by an editor that saves 200 files, is one."""
STIR_PAUSE_S = 0.5
"""A page that throws without end is looked at no more often than this."""
LOOK_TIMEOUT_S = 30.0
WRITES = frozenset({"generate", "edit", "fix", "augmenter"})
"""The kinds of runs in which the model writes."""

Changed = Collection[ProjectPath] | None
"""As `Sandbox.diagnostics` takes it."""


class Preview:
    """One sandbox, followed until it ends or `close`; its marks go with it."""

    def __init__(
        self,
        engine: "Engine",
        workspace: EditorWorkspace,
        sandbox: "Sandbox",
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        """`drained` waits while the client takes what was sent more slowly than it comes."""
        self.sandbox = sandbox
        self.workspace = workspace
        self.marks: Mapping[str, Sequence[Mark]] = {}
        """By URI; only files that have some."""
        self._engine = engine
        self._log = PreviewLog(workspace.client, sandbox, drained)
        self._changed: set[ProjectPath] | None = set()
        self._asked = asyncio.Event()
        self._looking = asyncio.Lock()
        self._newest_run: Run | None = None
        self._picture_wanted = asyncio.Event()
        self._task = asyncio.create_task(self._follow(), name=f"follow {sandbox.id}")
        self._task.add_done_callback(_tell_death)

    @property
    def has_died(self) -> bool:
        """It follows no longer, though its sandbox may live."""
        return self._task.done() and not self._task.cancelled() and bool(self._task.exception())

    def look(self, changed: Changed = None) -> None:
        """Have the marks brought up to date, soon; without `changed` everything is looked at."""
        self._note(changed)
        self._asked.set()

    def run_ended(self, run: "Run") -> None:
        """A run may have changed everything; of what the model wrote a picture is kept, too."""
        self.look()
        if run.record.kind in WRITES:
            self._newest_run = run
            self._picture_wanted.set()

    async def report(self) -> "DiagnosticsReport":
        """Look at everything now; raises `SandboxGone`, `SandboxFailed`."""
        async with self._looking:
            return await self._look(None)

    async def close(self) -> None:
        """Stop following; the sandbox is left as it is."""
        self._task.cancel()
        await asyncio.wait([self._task])
        # A command may have asked for a report after the following had ended.
        self._publish({})

    async def _follow(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                name = self.sandbox.id
                group.create_task(self._look_when_asked(), name=f"look at {name}")
                group.create_task(self._listen(), name=f"listen to {name}")
                group.create_task(self._log.pass_on(), name=f"log of {name}")
                group.create_task(self._take_pictures(), name=f"pictures of {name}")
        except* SandboxGone:
            log.info("the sandbox %s has ended", self.sandbox.id)
        finally:
            self._log.tell_new()
            self._publish({})

    async def _listen(self) -> None:
        while True:
            await self.sandbox.stirred()
            self.look(())
            await asyncio.sleep(STIR_PAUSE_S)

    async def _look_when_asked(self) -> None:
        while True:
            await self._asked.wait()
            await asyncio.sleep(SETTLE_S)
            self._asked.clear()
            async with self._looking:
                changed, self._changed = self._changed, set()
                try:
                    await self._look(changed)
                except SandboxGone:
                    raise
                except ForgeError as error:
                    # What changed is in no report now, so the next one has to be of everything.
                    self._note(None)
                    log.warning("%s could not be looked at: %s", self.sandbox.id, error.message)

    async def _look(self, changed: Changed) -> "DiagnosticsReport":
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                report = await self.sandbox.diagnostics(changed)
                self._publish(await marks_of(self.workspace, self.sandbox, report))
                return report
        except TimeoutError as error:
            raise SandboxFailed(
                f"Its errors could not be found within {LOOK_TIMEOUT_S:.0f} s.", remedy=""
            ) from error

    async def _take_pictures(self) -> None:
        # The centre's modules are imported when there is an engine, not on the way to it.
        from forge_lsp.actions.screenshots import has_screenshot, keep_screenshot

        while True:
            await self._picture_wanted.wait()
            self._picture_wanted.clear()
            run = self._newest_run
            if run is not None and not await has_screenshot(self._engine, run):
                await keep_screenshot(self._engine, self.sandbox, run)

    def _note(self, changed: Changed) -> None:
        if changed is None or self._changed is None:
            self._changed = None
        else:
            self._changed.update(changed)

    def _publish(self, marks: Mapping[str, Sequence[Mark]]) -> None:
        """Tell the editor of those files whose marks are others than before."""
        for uri in {**self.marks, **marks}:
            shown = [mark.shown for mark in marks.get(uri, ())]
            if shown != [mark.shown for mark in self.marks.get(uri, ())]:
                self.workspace.client.publish(uri, shown)
        self.marks = marks


def _tell_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s died", task.get_name(), exc_info=error)
