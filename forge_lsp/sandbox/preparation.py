"""Making the template ready to be copied: once on each machine, for each version of it."""

import asyncio
import fcntl
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from forge_lsp.errors import SandboxFailed
from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox import dev_server, template
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.installing import proxy
from forge_lsp.sandbox.installing.managers import PackageManager
from forge_lsp.sandbox.installing.registry import Registry
from forge_lsp.sandbox.isolation.confinement import Confined, Confinement, Limits

log = logging.getLogger(__name__)

LOOK_S = 0.1
RECIPE = 1
"""Counts up when the same template files are to be prepared in another way."""
UNUSED_DAYS = 30
"""Another version's template that nobody copied for this long is removed."""
_BUNDLED = "node_modules/.vite/deps/_metadata.json"
"""Vite writes it last, when it has bundled the dependencies that its configuration names."""


def template_place(root: Path) -> Path:
    """Where this version's template is once it is prepared; `root` holds all of the sandboxes'."""
    return root / "templates" / f"{template.digest(template.template_files())}-{RECIPE}"


async def start_dev_server(confinement: Confinement, directory: Path, limits: Limits) -> DevServer:
    """Start Vite on a sandbox's folder."""
    node = (await confinement.tools()).node.executable

    async def spawn() -> Confined:
        return await confinement.spawn(
            [str(node), *dev_server.ARGUMENTS], directory=directory, environment={}, limits=limits
        )

    return await DevServer.start(spawn)


class Preparation:
    """The prepared template of this machine."""

    def __init__(
        self,
        *,
        confinement: Confinement,
        npm: PackageManager,
        registry: Registry,
        place: Path,
        limits: Limits,
        timeout_s: float,
    ) -> None:
        """`registry` is one that doesn't mind young versions: ours are pinned. `place` is a
        `template_place`."""
        self._confinement = confinement
        self._npm = npm
        self._registry = registry
        self._limits = limits
        self._timeout_s = timeout_s
        self._files = template.template_files()
        self._place = place
        self._folder = place.parent

    async def prepared(self, on_stage: StageSink) -> Path:
        """The folder to copy; made first where it isn't there, which takes a while."""
        if self._place.is_dir():
            os.utime(self._place)
            return self._place
        await asyncio.to_thread(self._folder.mkdir, mode=0o711, parents=True, exist_ok=True)
        lock = self._folder / f"{self._place.name}.lock"
        try:
            async with asyncio.timeout(self._timeout_s), _locked(lock, on_stage):
                if not self._place.is_dir():
                    await self._prepare(on_stage)
        except TimeoutError as error:
            raise SandboxFailed(
                f"The template was not ready within {self._timeout_s:.0f} s.",
                remedy="Check the network, or set FORGE_SANDBOX_PREPARE_TIMEOUT_S higher.",
            ) from error
        return self._place

    async def _prepare(self, on_stage: StageSink) -> None:
        for left_behind in (*self._folder.glob(f"{self._place.name}.*.draft"), *self._unused()):
            await remove_tree(left_behind)
        draft = self._folder / f"{self._place.name}.{secrets.token_hex(4)}.draft"
        try:
            await asyncio.to_thread(self._write, draft)
            on_stage("Preparing the template (once on this machine): installing packages...")
            await self._install(draft)
            on_stage("Preparing the template (once on this machine): bundling packages...")
            await self._warm(draft)
            draft.rename(self._place)
        except BaseException:
            await remove_tree(draft)
            raise

    def _unused(self) -> list[Path]:
        limit = time.time() - UNUSED_DAYS * 86_400
        others = [each for each in self._folder.iterdir() if each.is_dir()]
        return [each for each in others if each.stat().st_mtime < limit]

    def _write(self, draft: Path) -> None:
        pinned = template.locked_to(proxy.URL, self._files[template.LOCK_FILE])
        for path, content in (self._files | {template.LOCK_FILE: pinned}).items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(content)
        for place in (draft, *draft.rglob("*")):
            os.chown(place, *self._confinement.owner())

    async def _install(self, draft: Path) -> None:
        result = await self._npm.install(draft, self._registry, self._timeout_s, frozen=True)
        if not result.ok:
            raise SandboxFailed(
                f"The template's packages could not be installed: {result.reason}",
                remedy="Check the network and npm's registry, then try again.",
            )
        await asyncio.to_thread(self._finish, draft)

    def _finish(self, draft: Path) -> None:
        # Nothing runs in the draft now, and nothing that the model wrote ever did.
        (draft / template.LOCK_FILE).write_bytes(self._files[template.LOCK_FILE])
        # Source maps of packages are four files in ten, and every copy pays for each file. What
        # the browser is given are Vite's bundles of them, with maps of their own.
        for source_map in (draft / "node_modules").rglob("*.map"):
            source_map.unlink()

    async def _warm(self, draft: Path) -> None:
        server = await start_dev_server(self._confinement, draft, self._limits)
        try:
            await server.ready(self._timeout_s)
            for path in self._files:
                if path.startswith("src/"):
                    await server.get(f"/{path}")
            await _appears(draft / _BUNDLED)
        except aiohttp.ClientError as error:
            raise SandboxFailed(
                f"The template's page broke off: {error}\n{server.output}"
            ) from error
        finally:
            await server.close()


@asynccontextmanager
async def _locked(lock: Path, on_stage: StageSink) -> AsyncGenerator[None]:
    """Hold the lock against other processes of this machine."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        take = partial(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waited = False
        while not _taken(take):
            if not waited:
                on_stage("Waiting for the template, which another process is preparing...")
                waited = True
            await asyncio.sleep(LOOK_S)
        yield
    finally:
        os.close(descriptor)


async def _appears(place: Path) -> None:
    while True:
        if await asyncio.to_thread(place.is_file):
            return
        await asyncio.sleep(LOOK_S)


def _taken(take: Callable[[], None]) -> bool:
    try:
        take()
    except BlockingIOError:
        return False
    return True
