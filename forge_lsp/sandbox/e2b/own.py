"""Projects that run by their own package.json in a cloud sandbox."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from importlib import resources

import msgspec

from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.ports.workspace import Files as Contents
from forge_lsp.sandbox import e2b
from forge_lsp.sandbox.contents import copy_all
from forge_lsp.sandbox.e2b.commands import Commands
from forge_lsp.sandbox.e2b.files import OWN, Files
from forge_lsp.sandbox.e2b.managers import Manager, manager_of
from forge_lsp.sandbox.e2b.preview import OwnPreview
from forge_lsp.sandbox.installing.programs import QUIET, reason_in
from forge_lsp.sandbox.installing.project import Managed, ManagerName, Project

KEPT = "own.json"
MOST_PORTS = 20
"""Of those on which the project's programs listen, the lowest are tried."""
_LOOK_S = 0.3
_MOST_LOOKS_AT_NOTHING = 5
"""So often in a row nothing has run in the app's folder, and nothing will."""


class _Kept(msgspec.Struct):
    """What the sandbox remembers of how it was made, which its code may have changed."""

    manager: ManagerName


class OwnProject:
    """Makes a sandbox that holds the template hold a project with a script of its own instead."""

    def __init__(
        self,
        commands: Commands,
        files: Files,
        npm: Manager,
        preview_at: Callable[[int], OwnPreview],
    ) -> None:
        self._commands = commands
        self._files = files
        self._npm = npm
        self._preview_at = preview_at

    async def fill(self, found: Project, contents: Contents, on_stage: StageSink) -> Manager:
        """Take away the template, and put the project and its packages in its place.

        Raises `SandboxFailed` where these can't be installed.
        """
        # The user's own template may be older than these.
        await self._files.write_own("project.mjs", _script("project.mjs"))
        ended = await self._commands.run(
            "clearing the app's folder", f"exec node {OWN}/project.mjs empty", cwd=".", timeout_s=60
        )
        if ended.code:
            raise SandboxFailed(f"The template could not be cleared away: {ended.output[-300:]}")
        await copy_all(contents, self._files.put, on_stage)
        manager = await manager_of(found.managed, self._npm, on_stage)
        on_stage(f"Installing the project's packages with {manager.program.name}...")
        await _install(found, manager, on_stage)
        on_stage(f"Starting the project's dev server ({found.script})...")
        kept = {
            # Nothing runs it now, so that it can be replaced.
            "dev-server.sh": _script("dev-server.sh"),
            "run.sh": _run_script(found.script, manager),
            KEPT: msgspec.json.encode(_Kept(found.managed.name)),
        }
        for name, content in kept.items():
            await self._files.write_own(name, content)
        return manager

    async def recall(self, on_stage: StageSink) -> Manager | None:
        """The package manager of a project that was put here earlier; None where none was."""
        kept = await self._files.own(KEPT, 1_000)
        if not kept:
            return None
        try:
            name = msgspec.json.decode(kept, type=_Kept).manager
        except (msgspec.DecodeError, RecursionError) as error:
            raise SandboxFailed(
                "The sandbox doesn't know any more how it was made.", remedy="Make a new one."
            ) from error
        return await manager_of(Managed(name, "", None), self._npm, on_stage)

    async def preview(self, timeout_s: float) -> OwnPreview:
        """The page of its dev server, once that listens on some port and answers there."""
        try:
            async with asyncio.timeout(timeout_s):
                looks_at_nothing = 0
                while looks_at_nothing < _MOST_LOOKS_AT_NOTHING:
                    ports = await self._ports()
                    looks_at_nothing = looks_at_nothing + 1 if ports is None else 0
                    for preview in map(self._preview_at, ports or ()):
                        if await preview.answers():
                            return preview
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as error:
            raise SandboxFailed(
                f"The project's dev server did not answer within {timeout_s:.0f} s.",
                remedy="See that its script starts a server; set FORGE_SANDBOX_START_TIMEOUT_S "
                "higher where that helps.",
            ) from error
        raise SandboxFailed("The project's dev server ended before its page answered.", remedy="")

    async def _ports(self) -> Sequence[int] | None:
        """Those on which the project's programs listen; None where none of these runs."""
        ended = await self._commands.run(
            "looking for the dev server's port",
            f"exec node {OWN}/project.mjs ports",
            cwd=".",
            timeout_s=30,
        )
        try:
            ports = msgspec.json.decode(ended.output, type=list[int] | None)
        except (msgspec.DecodeError, RecursionError):
            return []
        return ports and [each for each in ports if 0 < each < 1 << 16][:MOST_PORTS]


async def _install(found: Project, manager: Manager, on_stage: StageSink) -> None:
    lock = found.managed.lock
    if lock is not None:
        with_lock = await manager.install(frozen=True)
        if not with_lock.code:
            return
        on_stage(
            f"{lock} could not be followed: {reason_in(manager.program.name, with_lock.output)}"
        )
    ended = await manager.install(frozen=False)
    if ended.code:
        reason = reason_in(manager.program.name, ended.output)
        raise SandboxFailed(
            f"The project's packages could not be installed: {reason}",
            remedy="See that they install from the registry that sandboxes may reach.",
        )


def _run_script(script: str, manager: Manager) -> bytes:
    program = manager.program
    environment = {**QUIET, **program.environment}
    told = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return f"{told}exec {shlex.join(program.run(script))}\n".encode()


def _script(name: str) -> bytes:
    return (resources.files(e2b) / name).read_bytes()
