"""Which sandbox is meant: the account's, the workspace's, or the one named."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from forge_lsp.actions.late import Late
from forge_lsp.actions.taking_up import match
from forge_lsp.errors import ForgeError, NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox, SandboxProvider, StageSink
from forge_lsp.ports.workspace import Files

log = logging.getLogger(__name__)


MAX_REMEMBERED_BYTES = 16 * 1024 * 1024
"""Of the files that were put into a sandbox that belongs to no workspace."""


@dataclass(slots=True)
class _Known:
    sandbox: Sandbox
    account: str
    project: str
    used_at: float
    files: dict[ProjectPath, bytes | None] = field(default_factory=dict[ProjectPath, bytes | None])
    """What was put into it, where no workspace could fill another one."""
    packages: dict[str, None] = field(default_factory=dict[str, None])
    is_too_much: bool = False
    """More was put into it than is remembered."""


class Sandboxes:
    """Every sandbox that was made here, the ended ones too.

    `project` is empty for a sandbox that belongs to no workspace.
    """

    def __init__(self, provider: Late[SandboxProvider]) -> None:
        self.provider = provider
        self._known: dict[str, _Known] = {}
        self._making: dict[str, asyncio.Lock] = {}
        self._asked: set[str] = set()
        """The projects for which it is known whether an earlier process has left a sandbox."""
        self._listeners: list[Callable[[str], None]] = []

    def on_made(self, listener: Callable[[str], None]) -> None:
        """Have `listener(project)` called whenever a project has got another sandbox."""
        self._listeners.append(listener)

    async def create(
        self, account: str, project: str, on_stage: StageSink, contents: Files | None = None
    ) -> Sandbox:
        """Make a new one, which is the active one from then on; never ends another."""
        provider = await self.provider.get()
        sandbox = await provider.create(on_stage, contents, project)
        self._keep(sandbox, account, project)
        return sandbox

    def known(self, sandbox_id: str) -> Sandbox | None:
        """The sandbox of this id, of whichever account, if it was made here; it may be dead."""
        known = self._known.get(sandbox_id)
        return known.sandbox if known else None

    def find(self, account: str, sandbox_id: str | None, project: str | None = None) -> Sandbox:
        """The sandbox named, else the active one: the last that was created or used.

        The answer may be dead. Raises `NotFound` for one that this account never had.
        """
        if sandbox_id is None:
            known = self._newest(account, project)
            if known is None:
                raise NotFound("No active sandbox")
        else:
            known = self._known.get(sandbox_id)
            if known is None or known.account != account:
                raise NotFound("Sandbox not found")
        known.used_at = time.monotonic()
        known.sandbox.renew()
        return known.sandbox

    def at(self, account: str, url: str) -> Sandbox | None:
        """The account's newest sandbox whose preview, or a page of it, is at that address."""
        asked = _place(url)
        if asked is None:
            return None
        for known in reversed(self._known.values()):
            place = _place(known.sandbox.url)
            is_there = place is not None and place[0] == asked[0] and asked[1].startswith(place[1])
            if known.account == account and is_there:
                return known.sandbox
        return None

    def of_project(self, project: str) -> Sandbox | None:
        """The workspace's newest sandbox, if it ever had one; doesn't count as a use."""
        known = self._newest(None, project)
        return known.sandbox if known else None

    async def ensure(
        self, account: str, project: str, contents: Files, on_stage: StageSink
    ) -> Sandbox:
        """The workspace's own living sandbox, made and filled from `contents` where needed.

        One that an earlier process has left is taken up, which is asked for once.
        """
        async with self._making.setdefault(project, asyncio.Lock()):
            known = self._newest(account, project)
            if known is not None and await known.sandbox.is_alive():
                known.used_at = time.monotonic()
                known.sandbox.renew()
                return known.sandbox
            if known is not None:
                on_stage("The sandbox has ended; making a new one from the workspace...")
            elif left := await self._take_up(account, project, contents, on_stage):
                return left
            return await self.create(account, project, on_stage, contents)

    def remember(
        self, sandbox: Sandbox, files: Mapping[ProjectPath, bytes | None], packages: Sequence[str]
    ) -> None:
        """Keep in mind what was put into a sandbox, for `replace`."""
        known = self._known.get(sandbox.id)
        if known is None or known.project:
            return
        known.files |= files
        known.packages |= dict.fromkeys(packages)
        if sum(len(content or b"") for content in known.files.values()) > MAX_REMEMBERED_BYTES:
            known.files.clear()
            known.is_too_much = True

    async def replace(self, ended: Sandbox, on_stage: StageSink) -> Sandbox:
        """A new one for a sandbox that has ended and belongs to no workspace, with what was put
        into that; raises `NotFound` for one that wasn't made here."""
        known = self._known.get(ended.id)
        if known is None:
            raise NotFound("Sandbox not found")
        sandbox = await self.create(known.account, known.project, on_stage)
        if known.is_too_much:
            on_stage("What the old sandbox held was too much to be kept: apply it again.")
        await sandbox.put(known.files)
        if known.packages:
            await sandbox.install(list(known.packages))
        self.remember(sandbox, known.files, list(known.packages))
        return sandbox

    async def kill(self, account: str, sandbox_id: str | None) -> Sequence[str]:
        """End one, or all of the account's; gives the ids of those that were alive."""
        chosen = [
            known.sandbox
            for known in self._known.values()
            if known.account == account and sandbox_id in (None, known.sandbox.id)
        ]
        killed: list[str] = []
        for sandbox in chosen:
            if await sandbox.is_alive():
                await sandbox.kill()
                killed.append(sandbox.id)
        return killed

    async def close(self) -> None:
        """End every sandbox."""
        if self.provider.opened is not None:
            await self.provider.opened.close()

    async def _take_up(
        self, account: str, project: str, contents: Files, on_stage: StageSink
    ) -> Sandbox | None:
        """None where nothing was left, or nothing that will do any more."""
        if not project or project in self._asked:
            return None
        self._asked.add(project)
        provider = await self.provider.get()
        sandbox = None
        try:
            sandbox = await provider.reconnect(project, on_stage)
            if sandbox is None:
                return None
            on_stage("Taking up the sandbox of an earlier session...")
            if await match(sandbox, await provider.template(), contents, on_stage):
                self._keep(sandbox, account, project)
                return sandbox
            on_stage("The project runs otherwise than it did then; making a new sandbox...")
        except ForgeError as error:
            on_stage(f"The sandbox of an earlier session can't be taken up: {error.message}")
        if sandbox is not None:
            await _end(sandbox)
        return None

    def _keep(self, sandbox: Sandbox, account: str, project: str) -> None:
        self._known[sandbox.id] = _Known(sandbox, account, project, time.monotonic())
        for listener in self._listeners:
            listener(project)

    def _newest(self, account: str | None, project: str | None) -> _Known | None:
        mine = [
            known
            for known in self._known.values()
            if account in (None, known.account) and project in (None, known.project)
        ]
        return max(mine, key=lambda known: known.used_at, default=None)


async def _end(sandbox: Sandbox) -> None:
    try:
        await sandbox.kill()
    except ForgeError as error:
        log.warning("sandbox %s ends with its lease only: %s", sandbox.id, error.message)


def _place(url: str) -> tuple[tuple[str, str, int | None], str] | None:
    """Which server an address is of, and where on it; None for what is no address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    host = "127.0.0.1" if host == "localhost" else host
    return (parts.scheme, host, port), f"{parts.path.rstrip('/')}/"
