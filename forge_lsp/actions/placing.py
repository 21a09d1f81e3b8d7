"""Puts files and packages into a sandbox; where that ends meanwhile, into a new one."""

from collections.abc import Awaitable, Callable, Sequence

from forge_lsp import events
from forge_lsp.actions.packages import install
from forge_lsp.errors import ForgeError, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import InstallReport, Sandbox
from forge_lsp.runs import Run

MAX_REPLACEMENTS = 2
"""A run whose sandboxes end more often goes on without one."""

GetSandbox = Callable[[], Awaitable[Sandbox]]


class Placing:
    """What one run puts into its sandbox, which may be another one in the end."""

    def __init__(self, run: Run, sandbox: Sandbox, get_new: GetSandbox) -> None:
        """`get_new` gives one that holds what the first one held before the run began."""
        self.sandbox = sandbox
        self._run = run
        self._get_new = get_new
        self._files: dict[ProjectPath, bytes | None] = {}
        self._packages: dict[str, None] = {}
        self._left = MAX_REPLACEMENTS

    async def put(self, path: ProjectPath, content: bytes | None) -> events.FileApplied:
        """Write one file, or delete it; gives the event that says what became of it."""
        self._files[path] = content
        while True:
            try:
                return await put_file(self.sandbox, path, content)
            except SandboxGone as gone:
                if not await self._replace():
                    return events.FileApplied(path, "sandbox", ok=False, reason=gone.message)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages and tell the run, one by one, what became of them."""
        while True:
            try:
                report = await install(self._run, self.sandbox, packages)
            except SandboxGone as gone:
                if await self._replace():
                    continue
                await self._run.append(events.Problem("packages_failed", gone.for_people()))
                return InstallReport((), ())
            self._packages |= dict.fromkeys(f"{p.name}@{p.version}" for p in report.installed)
            return report

    async def _replace(self) -> bool:
        """Go on in a new sandbox, with all that was put so far; False where there is none."""
        if not self._left:
            return False
        self._left -= 1
        await self._run.append(events.Stage("The sandbox has ended; going on in a new one..."))
        try:
            new = await self._get_new()
            await self._run.append(events.SandboxReady(new.id, new.url))
            await new.put(self._files)
            if self._packages:
                await new.install(list(self._packages))
        except ForgeError as error:
            self._left = 0
            told = f"There is no preview any more. {error.for_people()}"
            await self._run.append(events.Problem(error.code, told))
            return False
        self.sandbox = new
        return True


async def put_file(
    sandbox: Sandbox, path: ProjectPath, content: bytes | None
) -> events.FileApplied:
    """Write one file, or delete it; gives the event that says what became of it.

    Raises `SandboxGone`.
    """
    try:
        if content is None:
            await sandbox.delete(path)
        else:
            await sandbox.write(path, content)
    except SandboxGone:
        raise
    except ForgeError as error:
        return events.FileApplied(path, "sandbox", ok=False, reason=error.message)
    return events.FileApplied(path, "sandbox", ok=True)
