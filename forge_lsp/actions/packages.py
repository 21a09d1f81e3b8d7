"""Packages: into the sandbox, and into the workspace's package.json."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from forge_lsp import events
from forge_lsp.changes.texts import as_bytes
from forge_lsp.errors import ForgeError, InvalidRequest, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import InstallReport, Sandbox
from forge_lsp.runs import Run

PACKAGE_JSON = ProjectPath.parse("package.json")


async def install(run: Run, sandbox: Sandbox, packages: Sequence[str]) -> InstallReport:
    """Install packages and tell the run, one by one, what became of them.

    Raises `SandboxGone`; any other failure is told to the run.
    """
    await run.append(events.Stage("Installing packages..."))
    await run.append(events.Stage(f"Installing {len(packages)} package(s)..."))
    try:
        report = await sandbox.install(packages)
    except SandboxGone:
        raise
    except ForgeError as error:
        await run.append(
            events.Problem("packages_failed", f"Failed to install packages: {error.for_people()}")
        )
        return InstallReport((), ())
    for package in report.installed:
        await run.append(events.PackageInstalled(package.name, package.version))
    for failed in report.failed:
        await run.append(events.PackageFailed(failed.name, failed.reason))
    if report.failed:
        told = "; ".join(f"{failed.name}: {failed.reason}" for failed in report.failed)
        await run.append(events.Problem("packages_failed", f"Failed to install packages: {told}"))
    return report


def with_dependencies(manifest: bytes, versions: Mapping[str, str]) -> bytes:
    """`package.json` with the packages it lacks, each as `^version`; the same bytes if none.

    Its indentation and line ends are kept. Raises `InvalidRequest` where it isn't a JSON object.
    """
    try:
        document: Any = json.loads(manifest)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"package.json can't be read: {error}.", remedy="Correct it and try again."
        ) from error
    if not isinstance(document, dict):
        raise InvalidRequest("package.json is not a JSON object.", remedy="Correct it.")
    fields = cast("dict[str, Any]", document)
    listed = {name for group in _GROUPS for name in _names(fields.get(group))}
    missing = {name: f"^{version}" for name, version in versions.items() if name not in listed}
    if not missing:
        return manifest
    present: Any = fields.get("dependencies") or {}
    if not isinstance(present, dict):
        raise InvalidRequest("package.json lists its dependencies wrongly.", remedy="Correct it.")
    fields["dependencies"] = dict(sorted({**cast("dict[str, Any]", present), **missing}.items()))
    text = json.dumps(fields, indent=_indent(manifest), ensure_ascii=False) + "\n"
    return as_bytes(text, manifest)


_GROUPS = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")


def _names(group: object) -> Sequence[str]:
    return tuple(cast("dict[str, Any]", group)) if isinstance(group, dict) else ()


def _indent(manifest: bytes) -> int | str:
    for line in manifest.decode("utf-8", "replace").splitlines():
        space = line[: len(line) - len(line.lstrip())]
        if space:
            return "\t" if space.startswith("\t") else len(space)
    return 2
