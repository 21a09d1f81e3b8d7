"""One project that is followed: its fragments, and how far sandbox and workspace have them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forge_lsp.actions.bringing import bring, proposed_files
from forge_lsp.actions.fragment_sync import Contents, note_files
from forge_lsp.actions.lacking import (
    DECIDED,
    FIRST_VERSION,
    FROM_WORKSPACE,
    OUTSIDE,
    TAKEN_OVER,
    edits_elsewhere,
)
from forge_lsp.actions.sources import GivenFiles
from forge_lsp.clock import now_ms
from forge_lsp.errors import ForgeError, IsolationUnavailable, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep
from forge_lsp.ports.projects import FragmentRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.store import Watch
from forge_lsp.ports.workspace import Workspace

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often it is looked without being told of anything: a notice may be lost with a connection."""
RETRY_S = 1.0
"""How long after a failure it is tried again; after each that follows, twice as long."""
MOST_FRAGMENTS = 50
"""Of a project, the newest first, of which edits are brought here."""

SETTLED_MS = 60_000
"""An answer that is younger may not wait for review as yet, though it will."""


@dataclass(slots=True)
class Place:
    """How far this process is with one fragment."""

    taken: int
    """The version up to which the workspace has it."""
    shown: int
    """The version up to which the sandbox has it."""
    owed: Mapping[ProjectPath, int] = field(default_factory=dict[ProjectPath, int])
    """Files that aren't there as yet, and up to which version the workspace has them."""
    brought: dict[ProjectPath, int] = field(default_factory=dict[ProjectPath, int])
    """The last edit of each file that was brought there."""

    @property
    def all_taken(self) -> int:
        """The version up to which the workspace has every file."""
        return min([self.taken, *self.owed.values()])


class Followed:
    """Brings to this process's sandbox and workspace what others write into the fragments.

    What the workspace has is compared by content, so an edit that it has already is none.
    """

    def __init__(self, engine: "Engine", project: str) -> None:
        self.places: dict[str, Place] = {}
        """By fragment."""
        self._engine = engine
        self._project = project
        self._has_looked = False
        self._watch: Watch | None = None

    async def keep_up(self) -> None:
        """Look whenever there may be something new, until cancelled."""
        with self._engine.store.watch_fragments(self._project) as watch:
            self._watch = watch
            pause_s = RETRY_S
            while True:
                try:
                    await self._look()
                except ForgeError as error:
                    log.warning("an edit from elsewhere waits: %s", error.message)
                    await watch.changed(pause_s)
                    pause_s = min(2 * pause_s, LOOK_S)
                else:
                    await watch.changed(LOOK_S)
                    pause_s = RETRY_S

    def stir(self) -> None:
        """Something else than a fragment is another: what waits for review, or the sandbox."""
        if self._watch is not None:
            self._watch.tell()

    @property
    def _sandbox(self) -> Sandbox | None:
        return self._engine.sandboxes.of_project(self._project)

    @property
    def _workspace(self) -> Workspace | None:
        return self._engine.workspaces.get(self._project)

    async def _look(self) -> None:
        fragments = await self._engine.store.fragments(self._project, limit=MOST_FRAGMENTS)
        if fragments or self._sandbox is not None:
            self._engine.following.tell_found(self._project)
        await self._begin(fragments)
        if fragments:
            await self._keep_address(fragments[0].id)
        for fragment in reversed(fragments):
            place = self.places[fragment.id]
            since = min(place.shown, place.all_taken)
            if fragment.version > since:
                await self._catch_up(fragment, place, since)
        if not self._has_looked:
            self._has_looked = True
            await self._note_meanwhile(fragments)

    async def _begin(self, fragments: Sequence[FragmentRecord]) -> None:
        new = [each for each in fragments if each.id not in self.places]
        if not new:
            return
        taken = await self._engine.store.taken_versions(self._project)
        is_first = not self.places
        for each in new:
            has = taken.get(each.id, FIRST_VERSION)
            # A sandbox that was there before anybody followed was made of what there was.
            shown = has if self._workspace else each.version if is_first else FIRST_VERSION
            self.places[each.id] = Place(has, shown)

    async def _catch_up(self, fragment: FragmentRecord, place: Place, since: int) -> None:
        following = self._engine.following
        async with following.turns.of(fragment.id):
            steps = await self._engine.store.fragment_steps(fragment.id, since)
            upto = max([fragment.version, *(step.version for step in steps)])
            try:
                await self._show(fragment, [step for step in steps if step.version > place.shown])
            except (SandboxFailed, SandboxGone, IsolationUnavailable) as error:
                # The workspace gets it all the same, and whoever makes the next sandbox fills it.
                log.warning("an edit from elsewhere is not shown: %s", error.for_people())
            place.shown = upto
            following.forget_written(fragment.id, upto)
        workspace = self._workspace
        if workspace is not None:
            await self._take_over(fragment, place, workspace, steps, upto)

    async def _note_meanwhile(self, fragments: Sequence[FragmentRecord]) -> None:
        """What was changed in the workspace while nobody followed is in the fragment, too."""
        workspace, engine = self._workspace, self._engine
        if workspace is None or not fragments:
            return
        newest = fragments[0]
        if now_ms() - newest.created_at < SETTLED_MS:
            return
        held = await engine.store.fragment_files(newest.id)
        waiting = await proposed_files(engine, self._project)
        found = {path: await workspace.read(path) for path in held if path not in waiting}
        await note_files(engine.store, self._project, found, OUTSIDE, engine.following.known)

    # Where it is shown

    async def _keep_address(self, fragment_id: str) -> None:
        """The fragment tells of the sandbox that shows it, also where that was made anew."""
        store, sandbox = self._engine.store, self._sandbox
        fragment = await store.fragment(fragment_id)
        if fragment is None or sandbox is None or not await sandbox.is_alive():
            return
        told = fragment.sandbox_id
        is_new = sandbox.id not in self._engine.following.owned
        await self._engine.following.own(self._engine, sandbox.id)
        if told == sandbox.id or not (is_new if told is None else await self._has_ended(told)):
            return
        await store.move_sandbox(self._project, told, sandbox.id, sandbox.url)

    async def _has_ended(self, sandbox_id: str) -> bool:
        """Whether it shows nothing any more, as far as can be known here."""
        known = self._engine.sandboxes.known(sandbox_id)
        if known is not None:
            return not await known.is_alive()
        return not await is_elsewhere(self._engine, sandbox_id)

    async def _show(self, fragment: FragmentRecord, steps: Sequence[FragmentStep]) -> None:
        """Put into this process's sandbox what others wrote; it is made anew where it ended."""
        following = self._engine.following
        ours = following.written | following.known.own
        contents: dict[ProjectPath, bytes | None] = {}
        for step in steps:
            if (fragment.id, step.version) in ours:
                contents.pop(step.path, None)
            elif self._workspace is None or step.reason != TAKEN_OVER:
                # What another editor's person typed isn't in this one before it is saved.
                contents[step.path] = step.content
        sandbox = self._sandbox
        if sandbox is None or not contents:
            return
        try:
            refused = await sandbox.put(contents)
        except SandboxGone:
            refused = await self._show_anew(fragment, sandbox, contents)
        for path, reason in refused.items():
            log.warning("%s is not in the sandbox: %s", path, reason)
        following.tell_shown(self._project, contents)

    async def _show_anew(
        self,
        fragment: FragmentRecord,
        ended: Sandbox,
        contents: Mapping[ProjectPath, bytes | None],
    ) -> Mapping[ProjectPath, str]:
        engine = self._engine
        if fragment.sandbox_id != ended.id:
            return {}
        files = self._workspace or GivenFiles(await engine.store.fragment_files(fragment.id))
        sandbox = await engine.sandboxes.ensure(fragment.account, self._project, files, log.info)
        refused = await sandbox.put({**await proposed_files(engine, self._project), **contents})
        await self._keep_address(fragment.id)
        return refused

    # The workspace

    async def _take_over(
        self,
        fragment: FragmentRecord,
        place: Place,
        workspace: Workspace,
        steps: Sequence[FragmentStep],
        upto: int,
    ) -> None:
        """Make others' edits in the workspace, once; those of what waits for review are there."""
        own = self._engine.following.known.own_of(fragment.id)
        found = edits_elsewhere(steps, place.taken, owed=place.owed, own=own)
        edits = {
            path: edit
            for path, edit in found.items()
            if edit.version > place.brought.get(path, 0) and not workspace.why_not_writable(path)
        }
        waiting: Contents = {}
        if edits:
            waiting = await proposed_files(self._engine, self._project)
        todo = {path: edit for path, edit in edits.items() if path not in waiting}
        if todo:
            await bring(self._engine, fragment, workspace, todo, upto)
        before = place.all_taken
        lacking = [path for path in edits if path in waiting]
        lacking += await _stale(workspace, [each for each in steps if each.version not in own])
        place.owed = {path: place.owed.get(path, place.taken) for path in lacking}
        place.brought |= {path: edit.version for path, edit in todo.items()}
        place.taken = upto
        if place.all_taken > before:
            await self._engine.store.note_taken(fragment.id, place.all_taken)


async def _stale(workspace: Workspace, steps: Sequence[FragmentStep]) -> Sequence[ProjectPath]:
    """The files that other editors of the folder saved otherwise than they are open here: it is
    not known that this one has loaded them."""
    last = {step.path: step for step in steps if step.reason in FROM_WORKSPACE - DECIDED}
    return [path for path, step in last.items() if await workspace.read(path) != step.content]


async def is_elsewhere(engine: "Engine", sandbox_id: str) -> bool:
    """Whether another engine has the sandbox: one of a process that lives."""
    if engine.sandboxes.known(sandbox_id) is not None:
        return False
    owner = await engine.store.sandbox_owner(sandbox_id)
    return owner is not None and bool(await engine.store.living([owner]))
