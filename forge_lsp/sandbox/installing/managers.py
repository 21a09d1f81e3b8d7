"""Package managers at work on a sandbox's folder, each in a confinement of its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import NotFound, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.files import read_file, write_file
from forge_lsp.sandbox.installing import proxy
from forge_lsp.sandbox.installing.lock_hosts import pin
from forge_lsp.sandbox.installing.programs import Program, reason_in
from forge_lsp.sandbox.installing.proxy import RegistryProxy
from forge_lsp.sandbox.installing.registry import Registry
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.output import Tail

MAX_LOCK_BYTES = 32 * 1024 * 1024
MAX_LINES = 1_000
"""A mistake in the call is explained by a page of usage, after its cause."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one call of a package manager ended."""

    ok: bool
    output: str
    """Its last lines."""
    reason: str
    """Why it failed, as a sentence for people; empty where it didn't."""


class PackageManager:
    """A package manager that is kept from everything but one registry."""

    def __init__(self, confinement: Confinement, program: Program, limits: Limits) -> None:
        self.program = program
        self._confinement = confinement
        self._limits = limits

    async def install(
        self, directory: Path, registry: Registry, timeout_s: float, *, frozen: bool
    ) -> Result:
        """Install what the lock file says if `frozen`, else what package.json lists."""
        program = self.program
        words = program.frozen if frozen else program.install
        return await self._call(directory, registry, [*words, *program.flags], timeout_s)

    async def add(
        self, directory: Path, registry: Registry, packages: Sequence[str], timeout_s: float
    ) -> Result:
        """Install packages and list them; where they disagree with others, all the same."""
        program = self.program
        words, named = [*program.add, *program.flags], ["--", *packages]
        result = await self._call(directory, registry, [*words, *named], timeout_s)
        if result.ok or not program.lenient or "ERESOLVE" not in result.output:
            return result
        return await self._call(directory, registry, [*words, *program.lenient, *named], timeout_s)

    async def _call(
        self, directory: Path, registry: Registry, arguments: Sequence[str], timeout_s: float
    ) -> Result:
        async with self._hosts_pinned(directory):
            return await self._run(directory, registry, arguments, timeout_s)

    @asynccontextmanager
    async def _hosts_pinned(self, directory: Path) -> AsyncGenerator[None]:
        """Meanwhile the lock file names no host but the registry's."""
        lock = self.program.lock_with_hosts
        if lock is None:
            yield
            return
        try:
            before = await asyncio.to_thread(read_file, directory, lock, MAX_LOCK_BYTES)
            pinned = pin(before, proxy.URL)
        except NotFound:
            pinned = pin(b"", proxy.URL)
        else:
            await self._write(directory, lock, pinned.content)
        try:
            yield
        finally:
            with suppress(NotFound):
                after = await asyncio.to_thread(read_file, directory, lock, MAX_LOCK_BYTES)
                await self._write(directory, lock, pinned.restored(after))

    async def _write(self, directory: Path, path: ProjectPath, content: bytes) -> None:
        owner = self._confinement.owner()
        await asyncio.to_thread(write_file, directory, path, content, owner)

    async def _run(
        self, directory: Path, registry: Registry, arguments: Sequence[str], timeout_s: float
    ) -> Result:
        """Raises `SandboxFailed` where it can't start, or takes longer than `timeout_s`."""
        program = self.program
        confined = await self._confinement.spawn(
            [*program.command, *arguments],
            directory=directory,
            environment={"CI": "true", **program.environment},
            limits=self._limits,
            listen=[proxy.PORT],
            toolbox=program.toolbox,
        )
        try:
            serving = await RegistryProxy.start(registry, confined.listeners[proxy.PORT])
            try:
                tail = Tail(MAX_LINES)
                async with asyncio.timeout(timeout_s):
                    await tail.read(confined.output)
                    code = await confined.wait()
            finally:
                await serving.close()
        except TimeoutError as error:
            raise SandboxFailed(
                f"{program.name} did not end within {timeout_s:.0f} s.",
                remedy="Check the network, or set FORGE_SANDBOX_INSTALL_TIMEOUT_S higher.",
            ) from error
        finally:
            await confined.kill()
        if code == 0:
            return Result(ok=True, output=tail.text, reason="")
        failure = serving.last_failure
        told = failure.message if failure else reason_in(program.name, tail.text)
        return Result(ok=False, output=tail.text, reason=confined.ended_because or told)
