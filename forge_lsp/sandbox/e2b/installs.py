"""Installing packages in a cloud sandbox, so that one bad name doesn't spoil the others."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import FailedPackage, InstalledPackage, InstallReport
from forge_lsp.sandbox import packages, packuments
from forge_lsp.sandbox.e2b.commands import Commands, Ended
from forge_lsp.sandbox.e2b.files import APP, Files
from forge_lsp.sandbox.packages import PackageRequest
from forge_lsp.settings import SandboxSettings

DEFAULT_REGISTRY = "https://registry.npmjs.org"

_MANIFEST = ProjectPath.parse("package.json")
_FLAGS = (
    *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"),
    *("--allow-git=none", "--allow-remote=none", "--allow-file=none", "--allow-directory=none"),
    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
    *("--omit-lockfile-registry-resolved=true", "--loglevel=error"),
    # The sandbox's own could name another registry.
    *("--userconfig=/dev/null", "--globalconfig=/nonexistent/npmrc"),
)
"""npm warns of those that it is too old to know, and goes on."""
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
    """npm at work inside a sandbox."""

    commands: Commands
    files: Files
    settings: SandboxSettings

    async def install(self, asked: Sequence[PackageRequest]) -> InstallReport:
        """Install; the report is in the order asked for.

        Raises `PackageRefused` where the sandbox's package.json asks for something that may not
        be installed, `SandboxFailed` where npm can't be run at all.
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
        await self.commands.run(
            "clearing npm's configuration",
            "exec rm -rf .npmrc npm-shrinkwrap.json",
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
        if (await self._npm(lacking)).code == 0:
            return {}
        failed: dict[PackageRequest, str] = {}
        for each in lacking:
            ended = await self._npm([each])
            if ended.code:
                failed[each] = _reason(ended.output)
        return failed

    async def _npm(self, wanted: Sequence[PackageRequest]) -> Ended:
        ended = await self._run_npm([], wanted)
        if ended.code and "ERESOLVE" in ended.output:
            return await self._run_npm(["--legacy-peer-deps"], wanted)
        return ended

    async def _run_npm(self, more: Sequence[str], wanted: Sequence[PackageRequest]) -> Ended:
        words = ["npm", "install", *_FLAGS, *self._registry(), *self._age(), *more]
        return await self.commands.run(
            "installing packages",
            "exec " + shlex.join([*words, "--", *map(str, wanted)]),
            cwd=APP,
            timeout_s=self.settings.install_timeout_s,
        )

    def _registry(self) -> Sequence[str]:
        return [f"--registry={registry_url(self.settings)}"]

    def _age(self) -> Sequence[str]:
        days = self.settings.minimum_release_age_days
        if not days:
            return []
        before = datetime.now(UTC) - timedelta(days=days)
        return [f"--before={before:%Y-%m-%dT%H:%M:%SZ}"]

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


def registry_url(settings: SandboxSettings) -> str:
    """Where sandboxes take packages from."""
    return settings.registry_url or DEFAULT_REGISTRY


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


def _reason(output: str) -> str:
    """What npm itself names as the cause: its first line that isn't just an error's code."""
    lines = [
        line.removeprefix("npm error ").strip()
        for line in output.splitlines()
        if line.startswith("npm error ")
        and not line.startswith(("npm error code", "npm error A c"))
    ]
    return lines[0][:300] if lines else "npm failed without saying why"


def _report(
    asked: Sequence[PackageRequest],
    there: dict[PackageRequest, InstalledPackage],
    failed: dict[PackageRequest, str],
) -> InstallReport:
    lacking = [each for each in asked if each not in there]
    missing = "npm says that it installed it, but it is not there."
    return InstallReport(
        tuple(dict.fromkeys(there[each] for each in asked if each in there)),
        tuple(
            dict.fromkeys(FailedPackage(each.name, failed.get(each, missing)) for each in lacking)
        ),
    )
