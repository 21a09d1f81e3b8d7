"""Copying a workspace's files into a new sandbox."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox, StageSink
from forge_lsp.ports.workspace import Files
from forge_lsp.sandbox.installing.project import MANIFEST, listed_packages
from forge_lsp.sandbox.template import LOCK_FILE

MAX_FILES = 20_000
MAX_FILE_BYTES = 8 * 1024 * 1024
"""A larger file of the workspace is not copied into the sandbox."""
BATCH_FILES = 500
BATCH_BYTES = 16 * 1024 * 1024

Put = Callable[[Mapping[ProjectPath, bytes | None]], Awaitable[Mapping[ProjectPath, str]]]
"""`Sandbox.put`, or what does the same before there is a sandbox."""


async def copy_all(contents: Files, put: Put, on_stage: StageSink) -> None:
    """Copy the files in batches; what can't be copied is said and left out."""
    paths = await contents.files()
    count = min(len(paths), MAX_FILES)
    if len(paths) > MAX_FILES:
        on_stage(f"Only the first {MAX_FILES} of {len(paths)} files are copied into the sandbox.")
    batch: dict[ProjectPath, bytes | None] = {}
    size = 0
    for number, path in enumerate(paths[:MAX_FILES], start=1):
        content = await contents.read(path)
        if content is not None and len(content) > MAX_FILE_BYTES:
            on_stage(
                f"{path} is not copied into the sandbox: it is over {MAX_FILE_BYTES >> 20} MB."
            )
        elif content is not None:
            batch[path] = content
            size += len(content)
        is_last = number == count
        if batch and (is_last or len(batch) >= BATCH_FILES or size >= BATCH_BYTES):
            on_stage(f"Copying files into the sandbox ({number} of {count})...")
            for refused, reason in (await put(batch)).items():
                on_stage(f"{refused} was not copied into the sandbox: {reason}")
            batch, size = {}, 0


async def lay_over(
    sandbox: Sandbox, template: Collection[ProjectPath], contents: Files, on_stage: StageSink
) -> None:
    """Make a sandbox that holds the template's files hold the workspace's instead.

    A workspace without a package.json is no whole app: it keeps the template's files beside its
    own.
    """
    await copy_all(contents, sandbox.put, on_stage)
    manifest = await contents.read(MANIFEST)
    if manifest is None:
        return
    kept = {*await contents.files(), LOCK_FILE}
    await sandbox.put({path: None for path in template if path not in kept})
    await _install_listed(sandbox, manifest, on_stage)


async def _install_listed(sandbox: Sandbox, manifest: bytes, on_stage: StageSink) -> None:
    """Install what the workspace's package.json lists; what the template has costs nothing."""
    listed = listed_packages(manifest)
    if not listed:
        return
    on_stage(f"Installing the {len(listed)} package(s) of package.json...")
    try:
        report = await sandbox.install(listed)
    except ForgeError as error:
        on_stage(f"The packages of package.json were not installed: {error.message}")
        return
    for failed in report.failed:
        on_stage(f"{failed.name} was not installed: {failed.reason}")
