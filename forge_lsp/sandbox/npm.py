"""npm at work on a sandbox's folder, in a confinement of its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox import proxy
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.output import Tail
from forge_lsp.sandbox.proxy import RegistryProxy
from forge_lsp.sandbox.registry import Registry

MAX_LINES = 1_000
"""A mistake in the call is explained by a page of usage, after its cause."""

_FLAGS = (
    *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"),
    *("--allow-git=none", "--allow-remote=none", "--allow-file=none", "--allow-directory=none"),
    *(f"--registry={proxy.URL}", "--omit-lockfile-registry-resolved=true"),
    # The proxy has its own patience; a second try of npm's would only wait for it twice.
    *("--fetch-retries=0", "--fetch-timeout=150000"),
    # The home folder is too small for the cache, and these two must not be found in it.
    *("--cache=/tmp/npm", "--userconfig=/tmp/user.npmrc", "--globalconfig=/tmp/global.npmrc"),
    "--loglevel=error",
)
"""npm warns of those that it is too old to know, and goes on."""


@dataclass(frozen=True, slots=True)
class NpmResult:
    """How one run of npm ended."""

    ok: bool
    output: str
    """Its last lines."""
    reason: str
    """Why it failed, as a sentence for people; empty where it didn't."""


class Npm:
    """The npm of this machine, kept from everything but one registry."""

    def __init__(self, confinement: Confinement, program: Path, limits: Limits) -> None:
        self._confinement = confinement
        self._program = program
        self._limits = limits

    async def run(
        self, directory: Path, registry: Registry, arguments: Sequence[str], timeout_s: float
    ) -> NpmResult:
        """Run npm with `arguments` in `directory`; raises `SandboxFailed` where it can't start."""
        node = (await self._confinement.tools()).node.executable
        confined = await self._confinement.spawn(
            [str(node), str(self._program), arguments[0], *_FLAGS, *arguments[1:]],
            directory=directory,
            environment={},
            limits=self._limits,
            listen=[proxy.PORT],
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
                f"npm did not end within {timeout_s:.0f} s.",
                remedy="Check the network, or set FORGE_SANDBOX_INSTALL_TIMEOUT_S higher.",
            ) from error
        finally:
            await confined.kill()
        if code == 0:
            return NpmResult(ok=True, output=tail.text, reason="")
        failure = serving.last_failure
        told = failure.message if failure else _error_of(tail.text)
        return NpmResult(ok=False, output=tail.text, reason=confined.ended_because or told)


def _error_of(output: str) -> str:
    """What npm itself names as the cause: its first line that isn't just an error's code."""
    lines = [
        line.removeprefix("npm error ").strip()
        for line in output.splitlines()
        if line.startswith("npm error ")
        and not line.startswith(("npm error code", "npm error A c"))
    ]
    return lines[0][:300] if lines else "npm failed without saying why"
