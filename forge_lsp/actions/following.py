"""Follows the fragments of projects that this process shows: edits from anywhere reach them.

A fragment is edited through any process on the database. Each one that has the project's
workspace open, or its sandbox, hears of it from the store, and brings to both what they lack.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from forge_lsp.actions.followed import Followed
from forge_lsp.actions.fragment_sync import Known
from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import Store
from forge_lsp.turns import Turns

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine

log = logging.getLogger(__name__)


class Audience(Protocol):
    """Who is told what becomes of the projects that are followed."""

    def found(self, project: str) -> None:
        """It has a sandbox or a fragment; told again and again."""
        ...

    def shown(self, project: str, paths: Collection[ProjectPath]) -> None:
        """Its sandbox, which may be a new one, holds these files as others wrote them."""
        ...

    def collided(self, project: str, change_set_id: str, paths: Collection[ProjectPath]) -> None:
        """An edit from elsewhere wasn't made in these files: it waits for review instead."""
        ...


class Following:
    """The projects that are followed, from the first on until `close`."""

    def __init__(self) -> None:
        self.turns = Turns()
        """By fragment: who writes it and its sandbox, and who brings others' edits there."""
        self.written: set[tuple[str, int]] = set()
        """The versions of fragments that this process has put into its sandboxes itself."""
        self.owned: set[str] = set()
        """The sandboxes that the others know to be this process's."""
        self.audience: list[Audience] = []
        self._followed: dict[str, Followed] = {}
        self._own: set[tuple[str, int]] = set()
        """The versions of fragments that were made from the workspaces here."""
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    @property
    def known(self) -> Known:
        """What the workspaces that are open here have."""
        taken = {
            fragment_id: place.taken
            for followed in self._followed.values()
            for fragment_id, place in followed.places.items()
        }
        return Known(taken, self._own)

    def follow(self, engine: "Engine", project: str) -> None:
        """Follow the project from now on."""
        if not project or self._is_closed or project in self._followed:
            return
        if not self._followed:
            engine.reviews.on_change(self._stir)
            engine.sandboxes.on_made(self._stir)
        followed = Followed(engine, project)
        self._followed[project] = followed
        task = asyncio.create_task(followed.keep_up(), name=f"follow {project}")
        task.add_done_callback(_log_death)
        self._tasks.append(task)

    async def own(self, engine: "Engine", sandbox_id: str) -> None:
        """Let the others know that this process has the sandbox; once for each."""
        if sandbox_id not in self.owned:
            await engine.store.own_sandbox(sandbox_id)
            self.owned.add(sandbox_id)

    def forget_written(self, fragment_id: str, upto: int) -> None:
        """Versions up to this one are in the sandbox, whoever put them there."""
        self.written = {
            (known, version)
            for known, version in self.written
            if known != fragment_id or version > upto
        }

    def tell_found(self, project: str) -> None:
        """It has a sandbox or a fragment."""
        for each in self.audience:
            each.found(project)

    def tell_shown(self, project: str, paths: Collection[ProjectPath]) -> None:
        """Its sandbox holds these files as others wrote them."""
        for each in self.audience:
            each.shown(project, paths)

    def tell_collided(
        self, project: str, change_set_id: str, paths: Collection[ProjectPath]
    ) -> None:
        """An edit from elsewhere waits for review."""
        for each in self.audience:
            each.collided(project, change_set_id, paths)

    async def close(self) -> None:
        """Follow nothing any more."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def disown(self, store: Store) -> None:
        """The sandboxes have ended, and are nobody's: this process may live on without them."""
        if not self.owned:
            return
        try:
            await store.disown_sandboxes(list(self.owned))
        except ForgeError as error:
            log.info("sandboxes are still told to be this process's: %s", error.message)

    def _stir(self, project: str) -> None:
        if followed := self._followed.get(project):
            followed.stir()


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s broke", task.get_name(), exc_info=error)
