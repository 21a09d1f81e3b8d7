"""Package managers at work inside a cloud sandbox, each kept to the registry there."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from forge_lsp.errors import NotFound, SandboxFailed
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox.e2b.commands import Commands, Ended
from forge_lsp.sandbox.e2b.files import APP, OWN, Files
from forge_lsp.sandbox.installing import packuments, proxy
from forge_lsp.sandbox.installing.lock_hosts import pin
from forge_lsp.sandbox.installing.programs import (
    CACHE,
    PACKAGES,
    Program,
    fetched,
    places_in,
    reason_in,
)
from forge_lsp.sandbox.installing.project import Managed, ManagerName
from forge_lsp.sandbox.isolation.confinement import TOOLS
from forge_lsp.settings import SandboxSettings

NPM_TIMEOUT_S = 20.0

_NPM = Program(
    name="npm",
    command=("npm",),
    frozen=("ci",),
    install=("install",),
    add=("install",),
    # npm warns of those that it is too old to know, and goes on.
    flags=(
        *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"),
        *("--allow-git=none", "--allow-remote=none", "--allow-file=none"),
        *("--allow-directory=none", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
        *("--omit-lockfile-registry-resolved=true", "--loglevel=error"),
        # The sandbox's own could name another registry.
        *("--userconfig=/dev/null", "--globalconfig=/nonexistent/npmrc"),
        f"--registry={proxy.URL}",
    ),
    lenient=("--legacy-peer-deps",),
)
_CONFIGURATION = (".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml")
"""What the sandbox's own code could have written to lead an install elsewhere."""
_TOOLS = f"{OWN}/tools"


@dataclass(frozen=True, slots=True)
class Manager:
    """One package manager of one sandbox."""

    program: Program
    """As it is called in that sandbox."""
    commands: Commands
    files: Files
    settings: SandboxSettings

    async def install(self, *, frozen: bool) -> Ended:
        """Install what the lock file says if `frozen`, else what package.json lists."""
        program = self.program
        words = [*program.frozen] if frozen else [*program.install, *self._age()]
        return await self._call([*words, *program.flags])

    async def add(self, packages: Sequence[str]) -> Ended:
        """Install packages and list them; where they disagree with others, all the same."""
        program = self.program
        words, named = [*program.add, *program.flags, *self._age()], ["--", *packages]
        ended = await self._call([*words, *named])
        if not ended.code or not program.lenient or "ERESOLVE" not in ended.output:
            return ended
        return await self._call([*words, *program.lenient, *named])

    async def _call(self, arguments: Sequence[str]) -> Ended:
        await self.commands.run(
            "clearing the configuration of package managers",
            f"exec rm -rf {shlex.join(_CONFIGURATION)}",
            cwd=APP,
            timeout_s=30,
        )
        lock, registry = self.program.lock_with_hosts, _origin(self.settings)
        if lock is None:
            return await self._run(arguments)
        try:
            pinned = pin(await self.files.read(lock), registry)
        except NotFound:
            pinned = pin(b"", registry)
        else:
            await self.files.write(lock, pinned.content)
        try:
            return await self._run(arguments)
        finally:
            if lock in await self.files.list():
                await self.files.write(lock, pinned.restored(await self.files.read(lock)))

    async def _run(self, arguments: Sequence[str]) -> Ended:
        program = self.program
        return await self.commands.run(
            "installing packages",
            "exec " + shlex.join([*program.command, *arguments]),
            cwd=APP,
            timeout_s=self.settings.install_timeout_s,
            environment={"CI": "true", **program.environment, **self._age_told()},
        )

    def _age(self) -> Sequence[str]:
        days = self.settings.minimum_release_age_days
        if not days or self.program.name != "npm":
            return []
        before = datetime.now(UTC) - timedelta(days=days)
        return [f"--before={before:%Y-%m-%dT%H:%M:%SZ}"]

    def _age_told(self) -> Mapping[str, str]:
        """pnpm takes it in minutes, in one of two places, and other versions pass it over."""
        if self.program.name != "pnpm":
            return {}
        minutes = f"{self.settings.minimum_release_age_days * 24 * 60:.0f}"
        name = "minimum_release_age"
        return {f"npm_config_{name}": minutes, f"pnpm_config_{name}": minutes}


def npm(commands: Commands, files: Files, settings: SandboxSettings) -> Manager:
    """The npm that every sandbox has."""
    return Manager(_here(_NPM, settings, APP), commands, files, settings)


async def manager_of(managed: Managed, with_npm: Manager, on_stage: StageSink) -> Manager:
    """The package manager that a project is kept with, which npm fetches from the registry.

    Raises `SandboxFailed` where it can't be had.
    """
    if managed.name == "npm":
        return with_npm
    package, files, settings = PACKAGES[managed.name], with_npm.files, with_npm.settings
    place = await files.place()
    tools = f"{place.removesuffix(APP)}{_TOOLS}"
    script = await _found(managed.name, tools, with_npm.commands)
    if script is None:
        on_stage(f"Fetching {managed.name}...")
        wanted = f"{package}@{managed.wanted}" if managed.wanted else package
        # What is named exactly was chosen by the user, however young it is.
        exact = msgspec.structs.replace(settings, minimum_release_age_days=0)
        fetching = exact if packuments.is_version(managed.wanted) else settings
        fetch = replace(with_npm.program, add=("install", f"--prefix={tools}"))
        ended = await Manager(fetch, with_npm.commands, files, fetching).add([wanted])
        script = await _found(managed.name, tools, with_npm.commands)
        if ended.code or script is None:
            raise SandboxFailed(
                f"{managed.name} could not be fetched: {reason_in('npm', ended.output)}",
                remedy="Check that the registry has it, then try again.",
            )
    program = fetched(managed.name, Path("node"), Path(), script)
    return Manager(_here(program, settings, place, tools), with_npm.commands, files, settings)


def registry_url(settings: SandboxSettings) -> str:
    """Where sandboxes take packages from; raises `SandboxFailed` where nobody says.

    The first time it may wait for npm, so ask it off the loop's thread.
    """
    return settings.registry_url or _npms_own_registry()


@cache
def _npms_own_registry() -> str:
    """The registry that npm takes when nobody has set another, as a machine at E2B would."""
    nobodys = ("--userconfig=/nonexistent/user", "--globalconfig=/nonexistent/global")
    settings = {
        name: value for name, value in os.environ.items() if "npm_config" not in name.lower()
    }
    try:
        said = subprocess.run(
            ["npm", "config", "get", "registry", *nobodys],
            cwd="/",
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=NPM_TIMEOUT_S,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxFailed(
            "npm can't be asked which registry it uses.",
            remedy="Install npm, or set FORGE_SANDBOX_REGISTRY_URL.",
        ) from error
    return said.rstrip("/")


async def _found(name: ManagerName, tools: str, commands: Commands) -> str | None:
    """Where the program is, from the folder of the tools."""
    places = places_in(name, PACKAGES[name])
    words = shlex.join(f"{tools}/{each}" for each in places)
    ended = await commands.run(
        "looking for a package manager", f"ls -d {words} 2>/dev/null", cwd=".", timeout_s=30
    )
    there = ended.output.splitlines()
    return next((each for each in places if f"{tools}/{each}" in there), None)


def _here(program: Program, settings: SandboxSettings, place: str, tools: str = "") -> Program:
    """A program as sandboxes on this machine call it, with the places and the registry that it
    has in a cloud sandbox."""

    def here(text: str) -> str:
        text = text.replace(proxy.URL, registry_url(settings)).replace(f"{TOOLS}/", f"{tools}/")
        # Caches lie beside the app, where no file of the project can be in their way.
        own = place.removesuffix(APP) + OWN
        return text.replace(f"/app/{CACHE}", f"{own}/cache").replace("/app/.forge", f"{own}/.forge")

    return replace(
        program,
        command=tuple(map(here, program.command)),
        flags=tuple(map(here, program.flags)),
        environment={name: here(value) for name, value in program.environment.items()},
    )


def _origin(settings: SandboxSettings) -> str:
    parts = urlsplit(registry_url(settings))
    return f"{parts.scheme}://{parts.netloc}"
