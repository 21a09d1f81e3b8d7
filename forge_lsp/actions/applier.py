"""Puts finished files into the workspace's sandbox while others are still being written."""

import asyncio
from collections.abc import Sequence
from typing import Self

from forge_lsp import events
from forge_lsp.actions.looking import look_at, visit
from forge_lsp.actions.placing import GetSandbox, Placing
from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import InstallReport, Sandbox, SandboxDiagnostic
from forge_lsp.runs import Run

_File = tuple[ProjectPath, bytes | None]


class SandboxApplier:
    """Writes files in the order in which they were put, and answers with events.

    A sandbox that can't be had costs the preview and nothing else: the run goes on without it.
    """

    def __init__(self, run: Run, get_sandbox: GetSandbox, *, looks_first: bool = False) -> None:
        """With `looks_first` the sandbox's problems are looked for before the first write."""
        self.found_before: Sequence[SandboxDiagnostic] | None = None
        """What was wrong before the first write; None where nobody looked, or could."""
        self._looks_first = looks_first
        self._placing: Placing | None = None
        self._run = run
        self._get_sandbox = get_sandbox
        self._queue: asyncio.Queue[_File | asyncio.Future[None]] = asyncio.Queue()
        self._task = asyncio.create_task(self._apply(), name=f"sandbox applier of {run.id}")

    def put(self, path: ProjectPath, content: bytes | None) -> None:
        """Queue a file; None for one that is to go."""
        self._queue.put_nowait((path, content))

    async def drained(self) -> Sandbox | None:
        """Wait until all that was put is in place; gives the sandbox, if there is one."""
        mark: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(mark)
        await asyncio.wait([mark, self._task], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return self._placing.sandbox if self._placing else None

    async def install(self, packages: Sequence[str]) -> InstallReport | None:
        """Install packages once all is in place; None where there is no sandbox."""
        await self.drained()
        return await self._placing.install(packages) if self._placing else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        """End: all is in place then, or, after a failure, what was begun is written whole."""
        if failure is None:
            await self.drained()
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _apply(self) -> None:
        placing, reason = None, ""
        try:
            sandbox = await self._get_sandbox()
            await self._run.append(events.SandboxReady(sandbox.id, sandbox.url))
            placing = self._placing = Placing(self._run, sandbox, self._get_sandbox)
            if self._looks_first:
                await self._look(sandbox)
        except ForgeError as error:
            reason = error.message
            told = f"There is no preview. {error.for_people()}"
            await self._run.append(events.Problem(error.code, told))
        while True:
            item = await self._queue.get()
            if isinstance(item, asyncio.Future):
                item.set_result(None)
                continue
            path, content = item
            if placing is None:
                answer = events.FileApplied(path, "sandbox", ok=False, reason=reason)
            else:
                answer = await placing.put(path, content)
            await self._run.append(answer)

    async def _look(self, sandbox: Sandbox) -> None:
        # What the page throws already is no fault of the run's, so it has to be known by now.
        await visit(sandbox)
        try:
            self.found_before = (await look_at(sandbox)).diagnostics
        except ForgeError as error:
            told = f"The app was not looked at for errors: {error.for_people()}"
            await self._run.append(events.Problem(error.code, told))
