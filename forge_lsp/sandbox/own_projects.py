"""Projects that run by their own package.json: installed by their package manager, started by
their own script."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.ports.workspace import Files
from forge_lsp.sandbox.contents import copy_all
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.installing import project
from forge_lsp.sandbox.installing.managers import PackageManager
from forge_lsp.sandbox.installing.programs import CACHE, QUIET
from forge_lsp.sandbox.installing.project import MANIFEST, Project
from forge_lsp.sandbox.installing.toolbox import Registries, Toolbox
from forge_lsp.sandbox.isolation.confinement import Confined, Confinement, Limits
from forge_lsp.sandbox.writing import Writer

_CACHE = {"npm_config_cache": "/tmp/npm"}  # noqa: S108 - The sandbox's own.


@dataclass(frozen=True, slots=True)
class Installed:
    """A project's folder with its packages in it."""

    project: Project
    manager: PackageManager
    folder: Path


async def recognise(contents: Files, template: Mapping[ProjectPath, bytes]) -> Project | None:
    """The project that a workspace holds, if it runs by its own package.json."""
    manifest = await contents.read(MANIFEST)
    if manifest is None:
        return None
    paths = await contents.files()
    locks = {each: await contents.read(each) or b"" for each in project.lock_files(paths)}
    return project.recognise(paths, manifest, locks, template[MANIFEST])


class OwnProjects:
    """Fills the folders of such projects, and starts their dev servers."""

    def __init__(
        self,
        confinement: Confinement,
        toolbox: Toolbox,
        registries: Registries,
        limits: Limits,
        timeout_s: float,
    ) -> None:
        """`timeout_s` bounds each call of a package manager."""
        self._confinement = confinement
        self._toolbox = toolbox
        self._registries = registries
        self._limits = limits
        self._timeout_s = timeout_s

    async def install(
        self, found: Project, contents: Files, folder: Path, on_stage: StageSink
    ) -> Installed:
        """Fill `folder` with the files and the packages that they list.

        Raises `SandboxFailed` where these can't be installed.
        """
        owner = self._confinement.owner()
        await asyncio.to_thread(_make, folder, owner)
        await copy_all(contents, Writer(folder, owner).put, on_stage)
        program = await self._toolbox.program(found.managed, on_stage)
        manager = PackageManager(self._confinement, program, self._limits)
        on_stage(f"Installing the project's packages with {program.name}...")
        await self._install(found, manager, folder, on_stage)
        await remove_tree(folder / CACHE)
        return Installed(found, manager, folder)

    async def start(self, installed: Installed) -> DevServer:
        """Start its dev server, whose port is found out once it listens."""
        program = installed.manager.program

        async def spawn() -> Confined:
            return await self._confinement.spawn(
                program.run(installed.project.script),
                directory=installed.folder,
                environment={**QUIET, **_CACHE, **program.environment},
                limits=self._limits,
                toolbox=program.toolbox,
            )

        return await DevServer.start(spawn, port=None)

    async def _install(
        self, found: Project, manager: PackageManager, folder: Path, on_stage: StageSink
    ) -> None:
        lock = found.managed.lock
        if lock is not None:
            # Also where it names versions that are young: the user chose them.
            whole = self._registries.whole
            with_lock = await manager.install(folder, whole, self._timeout_s, frozen=True)
            if with_lock.ok:
                return
            on_stage(f"{lock} could not be followed: {with_lock.reason}")
        result = await manager.install(folder, self._registries.aged, self._timeout_s, frozen=False)
        if not result.ok:
            raise SandboxFailed(
                f"The project's packages could not be installed: {result.reason}",
                remedy="See that they install on this machine from a public registry.",
            )


def _make(folder: Path, owner: tuple[int, int]) -> None:
    folder.mkdir(mode=0o755)
    os.chown(folder, *owner)
