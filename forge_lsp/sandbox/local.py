"""The provider of sandboxes on this machine."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from forge_lsp.errors import IsolationUnavailable, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import IsolationReport, PythonOutput, Sandbox, StageSink
from forge_lsp.ports.workspace import Files
from forge_lsp.sandbox import own_projects
from forge_lsp.sandbox.browser import Browser
from forge_lsp.sandbox.contents import lay_over
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.folders import ServerFolder, copy_tree, remove_tree
from forge_lsp.sandbox.installing import source
from forge_lsp.sandbox.installing.installer import Installer
from forge_lsp.sandbox.installing.managers import PackageManager
from forge_lsp.sandbox.installing.programs import npm
from forge_lsp.sandbox.installing.project import Project
from forge_lsp.sandbox.installing.registry import Registry
from forge_lsp.sandbox.installing.toolbox import Registries, Toolbox
from forge_lsp.sandbox.instance import LocalSandbox, Surroundings
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.lease import Clock, Lease
from forge_lsp.sandbox.own_projects import OwnProjects
from forge_lsp.sandbox.pool import Pool
from forge_lsp.sandbox.preparation import Preparation, start_dev_server, template_place
from forge_lsp.sandbox.relay import Relay
from forge_lsp.sandbox.template import template_files
from forge_lsp.settings import Places, SandboxSettings, Settings

log = logging.getLogger(__name__)

LEASE_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Workshop:
    """What is made once, when the first sandbox is asked for."""

    folder: ServerFolder
    registries: Registries
    preparation: Preparation
    shared: Surroundings
    projects: OwnProjects


_Fill = Callable[[_Workshop, Path], Awaitable[tuple[DevServer, Surroundings]]]
"""Fills the folder of a new sandbox and starts its dev server."""


class LocalProvider:
    """Makes sandboxes on this machine, and ends those that nobody uses."""

    def __init__(
        self, settings: Settings, places: Places, *, clock: Clock = time.monotonic
    ) -> None:
        self._settings: SandboxSettings = settings.sandbox
        self._places = places
        self._clock = clock
        self._confinement = Confinement()
        self._workshop: _Workshop | None = None
        self._opening = asyncio.Lock()
        self._preparing = asyncio.Lock()
        self._pool = Pool(self._make, settings.sandbox.pool_size)
        self._sandboxes: dict[str, LocalSandbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def name(self) -> str:
        """What settings call it."""
        return "local"

    async def isolation(self) -> IsolationReport:
        """How well sandboxes are confined; looked at once, then remembered."""
        return await self._confinement.report()

    async def create(
        self, on_stage: StageSink, contents: Files | None = None, project: str = ""
    ) -> Sandbox:
        """A sandbox with its preview answering: the template, with `contents` laid over it, or a
        project that runs by its own package.json.

        Raises `IsolationUnavailable` where this machine can't confine one, `SandboxFailed` where
        one can't be made.
        """
        del project
        report = await self.isolation()
        if report.tier == "none":
            raise IsolationUnavailable(report.detail, remedy=report.remedy)
        if contents is None:
            return await self._pool.take(on_stage)
        template = await self.template()
        found = await own_projects.recognise(contents, template)
        if found is not None:
            return await self._make_own(found, contents, on_stage)
        sandbox = await self._pool.take(on_stage)
        await lay_over(sandbox, template, contents, on_stage)
        return sandbox

    async def reconnect(self, project: str, on_stage: StageSink) -> Sandbox | None:
        """None: no sandbox on this machine outlives the process that made it."""
        del project, on_stage
        return None

    async def run_python(self, project: str, code: str, on_stage: StageSink) -> PythonOutput:
        """Raises `SandboxFailed`: there is no Python to run in a sandbox on this machine."""
        del project, code, on_stage
        raise SandboxFailed(
            "Python runs in sandboxes at E2B only, and these are on this machine.",
            remedy='Set sandbox.provider to "e2b" (FORGE_SANDBOX_PROVIDER) and E2B_API_KEY to a '
            "key, then start the server again.",
        )

    async def template(self) -> Mapping[ProjectPath, bytes]:
        """The source files that a new sandbox holds."""
        files = await asyncio.to_thread(template_files)
        return {ProjectPath.parse(path): content for path, content in files.items()}

    async def end_expired(self) -> None:
        """End the sandboxes whose lease has run out; those in the pool have none."""
        expired = [
            each
            for each in self._sandboxes.values()
            if each.lease.has_run_out and not self._pool.holds(each)
        ]
        minutes = self._settings.lease_s / 60
        why = f"Nobody used it for {minutes:.0f} minutes."
        await asyncio.gather(*(each.end(why) for each in expired))

    async def close(self) -> None:
        """End every sandbox that it made, and remove their folders."""
        self._closed = True
        await self._pool.close()
        ending = [each.end("Its server has ended.") for each in self._sandboxes.values()]
        await asyncio.gather(*ending)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._workshop is not None:
            await self._workshop.registries.aged.close()
            await self._workshop.registries.whole.close()
            await self._workshop.folder.close()
            self._workshop = None

    async def _make(self, on_stage: StageSink) -> LocalSandbox:
        async def fill(workshop: _Workshop, folder: Path) -> tuple[DevServer, Surroundings]:
            async with self._preparing:
                template = await workshop.preparation.prepared(on_stage)
            await copy_tree(template, folder)
            on_stage("Starting a sandbox...")
            limits = workshop.shared.limits
            server = await start_dev_server(self._confinement, folder, limits)
            return server, workshop.shared

        return await self._make_in_folder(fill)

    async def _make_own(
        self, project: Project, contents: Files, on_stage: StageSink
    ) -> LocalSandbox:
        async def fill(workshop: _Workshop, folder: Path) -> tuple[DevServer, Surroundings]:
            installed = await workshop.projects.install(project, contents, folder, on_stage)
            on_stage(f"Starting the project's dev server ({project.script})...")
            server = await workshop.projects.start(installed)
            shared = workshop.shared
            installer = replace(shared.installer, manager=installed.manager)
            return server, replace(shared, installer=installer)

        return await self._make_in_folder(fill)

    async def _make_in_folder(self, fill: _Fill) -> LocalSandbox:
        if self._closed:
            raise SandboxFailed("The server is ending.", remedy="")
        try:
            workshop = await self._open()
            folder = workshop.folder.path / f"sb_{secrets.token_hex(10)}"
            try:
                server, shared = await fill(workshop, folder)
                sandbox = await self._started(folder, server, shared)
            except BaseException:
                await remove_tree(folder)
                raise
        except OSError as error:
            raise SandboxFailed(
                f"{error.filename or 'The sandbox folder'} can't be used: {error.strerror}.",
                remedy="Check that the disk has room and that the folder can be written.",
            ) from error
        self._sandboxes[sandbox.id] = sandbox
        self._start(self._attend(sandbox), f"sandbox-{sandbox.id}")
        return sandbox

    async def _started(self, folder: Path, server: DevServer, shared: Surroundings) -> LocalSandbox:
        lease = Lease(self._settings.lease_s, self._clock)
        try:
            await server.ready(self._settings.start_timeout_s)
            relay = await Relay.start(folder.name, server.session, lease.renew)
        except BaseException:
            await server.close()
            raise
        return LocalSandbox(folder, server, relay, lease, shared)

    async def _attend(self, sandbox: LocalSandbox) -> None:
        try:
            await sandbox.attend()
        finally:
            del self._sandboxes[sandbox.id]

    async def _open(self) -> _Workshop:
        async with self._opening:
            if self._workshop is None:
                self._workshop = await self._open_workshop()
                self._start(self._end_expired_forever(), "sandbox-leases")
                for stale in self._workshop.folder.stale:
                    self._start(remove_tree(stale), f"sandbox-sweep-{stale.name}")
            return self._workshop

    async def _open_workshop(self) -> _Workshop:
        settings, confinement = self._settings, self._confinement
        node = (await confinement.tools()).node
        program = await asyncio.to_thread(source.find_npm, node)
        root = await asyncio.to_thread(confinement.data_root, self._places.cache)
        limits = Limits(settings.memory_mb, settings.disk_mb, settings.processes)
        manager = PackageManager(confinement, npm(node.executable, program), limits)

        def open_registry(minimum_age_days: float) -> Registry:
            find = partial(source.find_source, node.executable, program, settings.registry_url)
            cache = self._places.cache / "npm"
            return Registry(find, cache, minimum_age_days=minimum_age_days)

        registries = Registries(
            aged=open_registry(settings.minimum_release_age_days), whole=open_registry(0)
        )
        preparation = Preparation(
            confinement=confinement,
            npm=manager,
            registry=registries.whole,
            place=template_place(root),
            limits=limits,
            timeout_s=settings.prepare_timeout_s,
        )
        timeout_s = settings.install_timeout_s
        toolbox = Toolbox(
            npm=manager,
            node=node.executable,
            place=root / "tools",
            registries=registries,
            owner=confinement.owner,
            timeout_s=timeout_s,
        )
        folder = await asyncio.to_thread(ServerFolder.claim, root / "sandboxes")
        return _Workshop(
            folder=folder,
            registries=registries,
            preparation=preparation,
            shared=Surroundings(
                confinement,
                Installer(manager, registries.aged, timeout_s),
                limits,
                Browser(confinement, folder.path) if settings.screenshots else None,
            ),
            projects=OwnProjects(confinement, toolbox, registries, limits, timeout_s),
        )

    async def _end_expired_forever(self) -> None:
        while True:
            await asyncio.sleep(LEASE_LOOK_S)
            await self.end_expired()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the task %s broke", task.get_name(), exc_info=error)
