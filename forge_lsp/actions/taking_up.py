"""Taking up a sandbox that a dead process has left: it is brought to what the workspace holds."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, cast

from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox, StageSink
from forge_lsp.ports.workspace import Files

MAX_FILES = 20_000
MAX_FILE_BYTES = 8 * 1024 * 1024
"""A larger file of the workspace isn't in a new sandbox either."""
BATCH_FILES = 500
BATCH_BYTES = 16 * 1024 * 1024

_MANIFEST = ProjectPath.parse("package.json")
_LOCKS = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_MADE_BY_TOOLS = frozenset({*_LOCKS, "next-env.d.ts"})
"""Files that many workspaces lack and every sandbox makes anew; folders whose names begin with a
dot are such, too."""
_GROUPS = ("dependencies", "devDependencies")


async def match(
    sandbox: Sandbox, template: Mapping[ProjectPath, bytes], contents: Files, on_stage: StageSink
) -> bool:
    """Make the sandbox hold what a new one would; what is there already is left alone by `put`.

    False, with nothing done, where the project runs otherwise than it did, so that only a new
    sandbox will do.
    """
    mine = await contents.read(_MANIFEST)
    held = await sandbox.files()
    before = await sandbox.read(_MANIFEST) if _MANIFEST in held else None
    if before is None or (mine and not _run_alike(before, mine, template[_MANIFEST])):
        return False
    paths = (await contents.files())[:MAX_FILES]
    # A workspace without a package.json is no whole app, and keeps the template's files.
    beneath: Mapping[ProjectPath, bytes] = template if mine is None else {}
    wanted = {*paths, *beneath}
    gone = [path for path in held if path not in wanted and not _is_made_by_tools(path)]
    first: dict[ProjectPath, bytes | None] = dict.fromkeys(gone)
    first |= {path: beneath[path] for path in wanted - {*paths, _MANIFEST, *_LOCKS}}
    await _put(sandbox, first, on_stage)
    async for batch in _batches(contents, paths):
        await _put(sandbox, batch, on_stage)
    await _install_new(sandbox, _listed(before), _listed(mine or b""), on_stage)
    return True


async def _put(
    sandbox: Sandbox, batch: Mapping[ProjectPath, bytes | None], on_stage: StageSink
) -> None:
    if batch:
        for refused, reason in (await sandbox.put(batch)).items():
            on_stage(f"{refused} was not copied into the sandbox: {reason}")


async def _install_new(
    sandbox: Sandbox, before: Mapping[str, str], listed: Mapping[str, str], on_stage: StageSink
) -> None:
    lacking = [f"{name}@{wanted}" for name, wanted in listed.items() if name not in before]
    if not lacking:
        return
    on_stage(f"Installing {len(lacking)} package(s) that package.json has gained...")
    try:
        report = await sandbox.install(lacking)
    except ForgeError as error:
        on_stage(f"The packages of package.json were not installed: {error.message}")
        return
    for failed in report.failed:
        on_stage(f"{failed.name} was not installed: {failed.reason}")


def _run_alike(before: bytes, now: bytes, template: bytes) -> bool:
    """Whether one sandbox serves both: they differ at most in packages that one of them lacks,
    and that aren't the template's."""
    old, new = _listed(before), _listed(now)
    decisive = _listed(template).keys() | (old.keys() & new.keys())
    return _rest(before) == _rest(now) and all(old.get(each) == new.get(each) for each in decisive)


def _is_made_by_tools(path: ProjectPath) -> bool:
    folders = PurePosixPath(path).parts[:-1]
    return path in _MADE_BY_TOOLS or any(each.startswith(".") for each in folders)


async def _batches(
    contents: Files, paths: Sequence[ProjectPath]
) -> AsyncGenerator[Mapping[ProjectPath, bytes]]:
    batch: dict[ProjectPath, bytes] = {}
    size = 0
    for path in paths:
        content = await contents.read(path)
        if content is None or len(content) > MAX_FILE_BYTES:
            continue
        batch[path] = content
        size += len(content)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    yield batch


def _object(content: bytes) -> Mapping[str, Any]:
    """Nothing where it can't be read, as npm couldn't either."""
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _listed(manifest: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for group in _GROUPS:
        listed = _object(manifest).get(group)
        if isinstance(listed, dict):
            fields = cast("dict[str, object]", listed)
            found |= {name: text for name, text in fields.items() if isinstance(text, str)}
    return found


def _rest(manifest: bytes) -> Mapping[str, Any]:
    return {name: value for name, value in _object(manifest).items() if name not in _GROUPS}
