"""Package managers that this machine lacks: fetched from the registry once, then kept."""

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.installing import packuments
from forge_lsp.sandbox.installing.managers import PackageManager
from forge_lsp.sandbox.installing.programs import Program, fetched, package_here, places_in
from forge_lsp.sandbox.installing.project import Managed, ManagerName
from forge_lsp.sandbox.installing.registry import Registry


@dataclass(frozen=True, slots=True)
class Registries:
    """The registry as it is shown to those who install."""

    aged: Registry
    """Without versions that are too young."""
    whole: Registry
    """With all of them: for what the user has pinned to an exact version."""


class Toolbox:
    """Finds the program of a package manager; the machine's own npm fetches the others."""

    def __init__(
        self,
        *,
        npm: PackageManager,
        node: Path,
        place: Path,
        registries: Registries,
        owner: Callable[[], tuple[int, int]],
        timeout_s: float,
    ) -> None:
        """`place` is a folder that sandboxes can reach, and that outlives the server."""
        self._npm = npm
        self._node = node
        self._place = place
        self._registries = registries
        self._owner = owner
        self._timeout_s = timeout_s
        self._fetching = asyncio.Lock()

    async def program(self, managed: Managed, on_stage: StageSink) -> Program:
        """The program of that package manager; raises `SandboxFailed` where it can't be had."""
        if managed.name == "npm":
            return self._npm.program
        package = package_here(managed.name)
        async with self._fetching:
            version = await self._version(package, managed.wanted)
            folder = self._place / f"{managed.name}-{version}"
            if not folder.is_dir():
                on_stage(f"Fetching {managed.name} {version} (once on this machine)...")
                await self._fetch(f"{package}@{version}", folder)
        os.utime(folder)
        script = await asyncio.to_thread(_program, folder, managed.name, package)
        return fetched(managed.name, self._node, folder, script)

    async def _version(self, package: str, wanted: str) -> str:
        if packuments.is_version(wanted):
            return wanted
        known = await self._registries.aged.packument(package)
        version = packuments.newest(known, wanted)
        if version is None:
            raise SandboxFailed(f"There is no version {wanted} of {package} to be had.")
        return version

    async def _fetch(self, package: str, folder: Path) -> None:
        draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.draft")
        await asyncio.to_thread(self._make, draft)
        try:
            result = await self._npm.add(draft, self._registries.whole, [package], self._timeout_s)
            if not result.ok:
                raise SandboxFailed(
                    f"{package} could not be fetched: {result.reason}",
                    remedy="Check the network and npm's registry, then try again.",
                )
            draft.rename(folder)
        except BaseException:
            await remove_tree(draft)
            raise

    def _make(self, draft: Path) -> None:
        self._place.mkdir(mode=0o711, parents=True, exist_ok=True)
        draft.mkdir(mode=0o755)
        (draft / "package.json").write_text('{"private": true}\n', encoding="ascii")
        for place in (draft, draft / "package.json"):
            os.chown(place, *self._owner())


def _program(folder: Path, name: ManagerName, package: str) -> str:
    """Where the package's program is in the folder."""
    for place in places_in(name, package):
        if (folder / place).is_file():
            return place
    raise SandboxFailed(f"{package} holds no program that could be run.")
