"""Installing packages in a cloud sandbox, so that one bad name doesn't spoil the others."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import FailedPackage, InstalledPackage, InstallReport
from forge_lsp.sandbox.e2b.commands import Commands
from forge_lsp.sandbox.e2b.files import APP, Files
from forge_lsp.sandbox.e2b.managers import Manager
from forge_lsp.sandbox.installing import packages, packuments
from forge_lsp.sandbox.installing.packages import PackageRequest
from forge_lsp.sandbox.installing.programs import reason_in

_MANIFEST = ProjectPath.parse("package.json")
_TELL_VERSIONS = """
const { lstatSync, readFileSync } = require("fs");
const found = {};
for (const name of process.argv.slice(1)) {
  try {
    const manifest = `node_modules/${name}/package.json`;
    if (!lstatSync(manifest).isFile()) continue;
    found[name] = String(JSON.parse(readFileSync(manifest, "utf8")).version).slice(0, 300);
  } catch {}
}
process.stdout.write(JSON.stringify(found));
"""


@dataclass(frozen=True, slots=True)
class Installer:
    """A package manager at work inside a sandbox, for packages that were asked for."""

    commands: Commands
    files: Files
    manager: Manager

    async def install(self, asked: Sequence[PackageRequest]) -> InstallReport:
        """Install; the report is in the order asked for.

        Raises `PackageRefused` where the sandbox's package.json asks for something that may not
        be installed, `SandboxFailed` where it can't be run at all.
        """
        there = {
            each: found
            for each, found in (await self._found(asked)).items()
            if each.wanted in ("", found.version)
        }
        lacking = [each for each in asked if each not in there]
        failed: dict[PackageRequest, str] = {}
        if lacking:
            await self._check_folder()
            failed = await self._install_lacking(lacking)
            there |= await self._found([each for each in lacking if each not in failed])
        return _report(asked, there, failed)

    async def _check_folder(self) -> None:
        # It would beat the lock file, and may name any host.
        await self.commands.run(
            "clearing npm's configuration",
            "exec rm -f npm-shrinkwrap.json",
            cwd=APP,
            timeout_s=30,
        )
        try:
            manifest = await self.files.read(_MANIFEST)
        except NotFound:
            return
        packages.check_manifest(manifest)

    async def _install_lacking(
        self, lacking: Sequence[PackageRequest]
    ) -> dict[PackageRequest, str]:
        """All at once; where that fails, one by one. Gives those that failed, and why."""
        if (await self.manager.add(list(map(str, lacking)))).code == 0:
            return {}
        failed: dict[PackageRequest, str] = {}
        for each in lacking:
            ended = await self.manager.add([str(each)])
            if ended.code:
                failed[each] = reason_in(self.manager.program.name, ended.output)
        return failed

    async def _found(
        self, asked: Sequence[PackageRequest]
    ) -> dict[PackageRequest, InstalledPackage]:
        words = ["node", "-e", _TELL_VERSIONS, *(each.name for each in asked)]
        ended = await self.commands.run(
            "looking for packages", "exec " + shlex.join(words), cwd=APP, timeout_s=60
        )
        versions = _versions_in(ended.output)
        return {
            each: InstalledPackage(each.name, versions[each.name])
            for each in asked
            if each.name in versions
        }


def _versions_in(output: str) -> dict[str, str]:
    """The sandbox's code may have written anything into its packages, and into this."""
    try:
        found: Any = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: version
        for name, version in cast("dict[str, Any]", found).items()
        if isinstance(version, str) and packuments.is_version(version)
    }


def _report(
    asked: Sequence[PackageRequest],
    there: dict[PackageRequest, InstalledPackage],
    failed: dict[PackageRequest, str],
) -> InstallReport:
    lacking = [each for each in asked if each not in there]
    missing = "It is said to be installed, but it is not there."
    return InstallReport(
        tuple(dict.fromkeys(there[each] for each in asked if each in there)),
        tuple(
            dict.fromkeys(FailedPackage(each.name, failed.get(each, missing)) for each in lacking)
        ),
    )
