"""Package managers at work on a sandbox's folder, each in a confinement of its own."""

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox import proxy
from forge_lsp.sandbox.isolation.confinement import TOOLS, Confinement, Limits
from forge_lsp.sandbox.output import Tail
from forge_lsp.sandbox.proxy import RegistryProxy
from forge_lsp.sandbox.registry import Registry

MAX_LINES = 1_000
"""A mistake in the call is explained by a page of usage, after its cause."""

CACHE = ".forge-cache"
"""In the folder that is installed into, which has more room than a sandbox's other places; files
whose names begin like this are nobody's business. It may be removed afterwards."""
_STORE = "/app/.forge-store"
"""pnpm links a package's files from here, which only works within one file system."""
_CACHE = f"/app/{CACHE}"


@dataclass(frozen=True, slots=True)
class Program:
    """How one kind of package manager is called."""

    name: str
    command: tuple[str, ...]
    """What starts it inside of a sandbox."""
    frozen: tuple[str, ...]
    """Installs what the lock file says."""
    install: tuple[str, ...]
    """Installs what package.json lists, where there is no lock file."""
    add: tuple[str, ...]
    """Installs what follows, and lists it."""
    flags: tuple[str, ...]
    """For each of these."""
    lenient: tuple[str, ...] = ()
    """For a second try, where packages disagree on what they need beside them."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    toolbox: Path | None = None
    """The folder with the program, to be seen at `TOOLS`; None where the machine has it."""

    def run(self, script: str) -> Sequence[str]:
        """What runs a script of package.json."""
        return (*self.command, "run", script)


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
        told = failure.message if failure else _error_of(program.name, tail.text)
        return Result(ok=False, output=tail.text, reason=confined.ended_because or told)


def npm(node: Path, program: Path) -> Program:
    """The npm of this machine."""
    return Program(
        name="npm",
        command=(str(node), str(program)),
        frozen=("ci",),
        install=("install",),
        add=("install",),
        # npm warns of those that it is too old to know, and goes on.
        flags=(
            *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
            *("--allow-git=none", "--allow-remote=none", "--allow-file=none"),
            *("--allow-directory=none", "--no-progress", f"--registry={proxy.URL}"),
            "--omit-lockfile-registry-resolved=true",
            # The proxy has its own patience; a second try of npm's would only wait for it twice.
            *("--fetch-retries=0", "--fetch-timeout=150000"),
            # The home folder is too small for the cache, and these two must not be found in it.
            *("--cache=/tmp/npm", "--userconfig=/tmp/user.npmrc"),
            "--globalconfig=/tmp/global.npmrc",
            "--loglevel=error",
        ),
        lenient=("--legacy-peer-deps",),
    )


def pnpm(node: Path, toolbox: Path, script: str) -> Program:
    """The pnpm whose package is in `toolbox`; `script` is its program, from there."""
    return Program(
        name="pnpm",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--frozen-lockfile"),
        install=("install", "--no-frozen-lockfile"),
        add=("add",),
        flags=(
            *("--ignore-scripts", f"--registry={proxy.URL}", f"--store-dir={_STORE}"),
            "--reporter=append-only",
        ),
        environment=_environment(npm_config_cache="/tmp/pnpm"),  # noqa: S108 - The sandbox's own.
        toolbox=toolbox,
    )


def yarn(node: Path, toolbox: Path, script: str) -> Program:
    """Yarn 1."""
    return Program(
        name="Yarn",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--frozen-lockfile"),
        install=("install",),
        add=("add",),
        flags=(
            *("--ignore-scripts", "--non-interactive", "--no-progress", "--ignore-engines"),
            *("--registry", proxy.URL, "--cache-folder", _CACHE),
        ),
        environment=_environment(),
        toolbox=toolbox,
    )


def yarn_berry(node: Path, toolbox: Path, script: str) -> Program:
    """Yarn 2 and later, which lays packages out as the others do, whatever it would do else."""
    return Program(
        name="Yarn",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--immutable"),
        install=("install",),
        add=("add",),
        flags=(),
        environment=_environment(
            YARN_NPM_REGISTRY_SERVER=proxy.URL,
            YARN_UNSAFE_HTTP_WHITELIST="127.0.0.1",
            YARN_ENABLE_SCRIPTS="false",
            YARN_ENABLE_TELEMETRY="false",
            YARN_ENABLE_GLOBAL_CACHE="false",
            YARN_CACHE_FOLDER=_CACHE,
            YARN_NODE_LINKER="node-modules",
            YARN_NPM_MINIMAL_AGE_GATE="0",
            YARN_IGNORE_PATH="1",
            YARN_HTTP_RETRY="0",
        ),
        toolbox=toolbox,
    )


def bun(toolbox: Path, executable: str) -> Program:
    """The bun whose binary is at `executable` in `toolbox`."""
    return Program(
        name="bun",
        command=(f"{TOOLS}/{executable}",),
        frozen=("install", "--frozen-lockfile"),
        install=("install",),
        add=("add",),
        flags=(
            *("--ignore-scripts", f"--registry={proxy.URL}", "--backend=copyfile"),
            *("--no-progress", f"--cache-dir={_CACHE}"),
        ),
        environment=_environment(),
        toolbox=toolbox,
    )


def bun_package() -> str:
    """The package that holds bun's binary for this machine; one that old processors run, too."""
    if platform.machine() in ("aarch64", "arm64"):
        return "@oven/bun-linux-aarch64"
    return "@oven/bun-linux-x64-baseline"


def _environment(**more: str) -> Mapping[str, str]:
    return {"COREPACK_ENABLE_STRICT": "0", **more}


def _error_of(name: str, output: str) -> str:
    """What the program itself names as the cause: the first line that isn't just a code."""
    lines = [
        line.removeprefix("npm error ").removeprefix("error ").strip()
        for line in output.splitlines()
        if line.strip() and not line.startswith(("npm error code", "npm error A c", "npm warn"))
    ]
    named = [line for line in lines if "rror" in line or "ERR" in line or "fail" in line]
    first = next(iter(named or lines), "")
    return first[:300] or f"{name} failed without saying why"
