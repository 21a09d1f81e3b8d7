"""Installing packages into a sandbox, so that one bad name doesn't spoil the others."""

import asyncio
import json
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_lsp.errors import NotFound, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import FailedPackage, InstalledPackage, InstallReport
from forge_lsp.sandbox.files import read_file, read_named
from forge_lsp.sandbox.installing import packages, packuments
from forge_lsp.sandbox.installing.managers import PackageManager
from forge_lsp.sandbox.installing.packages import PackageRequest
from forge_lsp.sandbox.installing.registry import Registry, RegistryFailed

_MANIFEST = ProjectPath.parse("package.json")
_CONFIGURATION = (".npmrc", "npm-shrinkwrap.json")
"""What in a project folder can turn npm's head; a sandbox has no use for either."""


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs from one registry with one package manager."""

    manager: PackageManager
    registry: Registry
    timeout_s: float

    async def install(self, directory: Path, asked: Sequence[PackageRequest]) -> InstallReport:
        """Install into the sandbox's folder; the report is in the order asked for.

        Raises `PackageRefused` where the folder's own package.json asks for something that may
        not be installed, `SandboxFailed` where npm can't be run at all.
        """
        there = await asyncio.to_thread(_installed, directory, asked)
        lacking = [each for each in asked if each not in there]
        failed: dict[PackageRequest, str] = {}
        if lacking:
            await asyncio.to_thread(_check_folder, directory)
            failed = await self._unknown(lacking)
            known = [each for each in lacking if each not in failed]
            failed |= await self._install_known(directory, known)
            there |= await asyncio.to_thread(_found, directory, known)
        return _report(asked, there, failed)

    async def _unknown(self, asked: Iterable[PackageRequest]) -> dict[PackageRequest, str]:
        """Those that the registry can't give, and why."""
        wanted = list(asked)
        reasons = await asyncio.gather(*(self._why_unknown(each) for each in wanted))
        return {each: why for each, why in zip(wanted, reasons, strict=True) if why}

    async def _why_unknown(self, wanted: PackageRequest) -> str:
        try:
            packument = await self.registry.packument(wanted.name)
        except RegistryFailed as error:
            return error.message
        if packuments.is_version(wanted.wanted) and wanted.wanted not in packument.versions:
            return f"{wanted} does not exist, or is too young."
        return ""

    async def _install_known(
        self, directory: Path, known: Sequence[PackageRequest]
    ) -> dict[PackageRequest, str]:
        """All at once; where that fails, one by one. Gives those that failed, and why."""
        if not known or not await self._why_not_added(directory, known):
            return {}
        reasons = {each: await self._why_not_added(directory, [each]) for each in known}
        return {each: why for each, why in reasons.items() if why}

    async def _why_not_added(self, directory: Path, wanted: Sequence[PackageRequest]) -> str:
        result = await self.manager.add(
            directory, self.registry, [str(each) for each in wanted], self.timeout_s
        )
        return result.reason


def _check_folder(directory: Path) -> None:
    for name in _CONFIGURATION:
        place = directory / name
        if place.is_symlink() or place.is_file():
            place.unlink(missing_ok=True)
    try:
        manifest = read_file(directory, _MANIFEST, packages.MAX_MANIFEST_BYTES)
    except NotFound:
        return
    packages.check_manifest(manifest)


def _installed(
    directory: Path, asked: Iterable[PackageRequest]
) -> dict[PackageRequest, InstalledPackage]:
    """Those that are there already, and fit without npm's having to look."""
    found = _found(directory, asked)
    return {each: there for each, there in found.items() if each.wanted in ("", there.version)}


def _found(
    directory: Path, asked: Iterable[PackageRequest]
) -> dict[PackageRequest, InstalledPackage]:
    found: dict[PackageRequest, InstalledPackage] = {}
    for each in asked:
        version = _version_of(directory / "node_modules", each.name)
        if version is not None:
            found[each] = InstalledPackage(each.name, version)
    return found


def _version_of(modules: Path, name: str) -> str | None:
    try:
        names = [*_home_of(modules, name), "package.json"]
        content = read_named(modules, names, packages.MAX_MANIFEST_BYTES)
        manifest: Any = json.loads(content)
        version: Any = manifest["version"]
    except (NotFound, SandboxFailed, ValueError, RecursionError, TypeError, KeyError):
        # The sandbox may have written anything there.
        return None
    return version if isinstance(version, str) and packuments.is_version(version) else None


def _home_of(modules: Path, name: str) -> Sequence[str]:
    """Where a package is: pnpm keeps a link for it, to another folder of node_modules."""
    try:
        target = (modules / name).readlink()
    except OSError:
        return name.split("/")
    names = posixpath.normpath(posixpath.join(posixpath.dirname(name), str(target))).split("/")
    if names[0] in ("", ".."):
        raise NotFound(f"{name} is a link that leads out of node_modules.")
    return names


def _report(
    asked: Iterable[PackageRequest],
    there: dict[PackageRequest, InstalledPackage],
    failed: dict[PackageRequest, str],
) -> InstallReport:
    installed: dict[PackageRequest, InstalledPackage] = {}
    lacking: dict[PackageRequest, FailedPackage] = {}
    for each in asked:
        if each in there and each not in failed:
            installed[each] = there[each]
        else:
            why = failed.get(each, "It was installed, as it seemed, but it is not there.")
            lacking[each] = FailedPackage(each.name, why)
    return InstallReport(tuple(installed.values()), tuple(lacking.values()))
