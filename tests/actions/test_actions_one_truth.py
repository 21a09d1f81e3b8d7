"""Workspace, sandbox and fragments under whatever happens, in whatever order."""

import asyncio
import itertools
import re
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from action_world import DONE, PROJECT, a_world, edit, ending
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from memory_workspace import MemoryWorkspace

from forge_lsp.actions.choices import Choice
from forge_lsp.actions.fragment_edits import FragmentUpdate, update_fragment
from forge_lsp.actions.fragment_sync import note_files
from forge_lsp.actions.lacking import SAVED
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import ForgeError
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.runs import Run
from forge_lsp.settings import GenerationSettings

NAMES = ("src/One.tsx", "src/Two.tsx")
ANCHORS = 4
"""Lines of each file that nobody ever changes, each with lines of its own below it."""
NOT_TYPED = re.compile(rb"// (generated|patched) \d+")
WAIT_S = 20.0

names = st.sampled_from(NAMES)
places = st.integers(0, ANCHORS - 1)
choices = st.builds(
    Choice,
    path=st.none() | names.map(ProjectPath.parse),
    hunk=st.none() | st.integers(0, 2),
)


def anchor(number: int) -> str:
    return f"// anchor {number}"


def first_text(name: str) -> bytes:
    lines = (f"{anchor(number)}\n// {number} of {name}\n\n\n" for number in range(ANCHORS))
    return "".join(lines).encode()


def with_line(text: bytes, number: int, line: str) -> bytes:
    """`text` with one more line below an anchor."""
    at = f"{anchor(number)}\n".encode()
    assert text.count(at) == 1, text
    return text.replace(at, at + line.encode() + b"\n")


def lines_of(text: bytes | None) -> set[str]:
    return set((text or b"").decode().splitlines())


class OneTruth(RuleBasedStateMachine):
    """A workspace in an editor, its sandbox and its fragments, and all who change them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.numbers = itertools.count(1)
        self.typed: dict[str, list[str]] = {name: [] for name in NAMES}
        """What the user has typed into each file, all of which is to stay."""

    @initialize()
    def open(self) -> None:
        self.do(self._open())

    @rule(name=names, place=places)
    def generate(self, name: str, place: int) -> None:
        """The model writes a line, which then waits for review."""
        self.do(self._generate((name,), place))

    @rule(name=names, place=places)
    def type(self, name: str, place: int) -> None:
        """The user types a line into a document."""
        line = self.line("typed")
        self.workspace.documents[name] = with_line(self.text(name), place, line)
        self.typed[name].append(line)

    @rule(name=names)
    def type_over(self, name: str) -> None:
        """The user types in the place of what the model, or somebody elsewhere, wrote."""
        text = self.text(name)
        written = NOT_TYPED.search(text)
        if written is not None:
            line = self.line("typed")
            self.workspace.documents[name] = text.replace(written[0], line.encode(), 1)
            self.typed[name].append(line)

    @rule(name=names)
    def save(self, name: str) -> None:
        """The user saves what is open."""
        self.do(self._save(name))

    @rule(choice=choices)
    def accept(self, choice: Choice) -> None:
        """All that waits, a file or a hunk goes into the workspace."""
        self.do(self._decide("accept", choice))

    @rule(choice=choices)
    def reject(self, choice: Choice) -> None:
        """Or goes nowhere."""
        self.do(self._decide("reject", choice))

    @rule(which=st.integers(0, 9))
    def undo(self, which: int) -> None:
        """What was accepted is taken back, not only the last of it."""
        self.do(self._undo(which))

    @rule(name=names, place=places)
    def accept_and_undo(self, name: str, place: int) -> None:
        """What nobody touches meanwhile is back to the byte."""
        self.do(self._accept_and_undo(name, place))

    @rule(name=names, place=places)
    def patch(self, name: str, place: int) -> None:
        """Somebody edits the newest fragment over HTTP, as they read it."""
        self.do(self._patch(name, place))

    @rule()
    def kill(self) -> None:
        """The sandbox dies."""
        self.do(self._kill())

    @invariant()
    def nothing_that_was_typed_is_lost(self) -> None:
        if not hasattr(self, "workspace"):
            return
        for name, lines in self.typed.items():
            there = self.text(name).decode().splitlines()
            assert [line for line in lines if there.count(line) != 1] == [], there

    def teardown(self) -> None:
        try:
            if hasattr(self, "workspace"):
                self.do(self._come_to_rest())
        finally:
            self.do(self.stack.aclose())
            self.runner.close()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(WAIT_S):
                await work

        self.runner.run(bounded())

    def line(self, by: str) -> str:
        return f"// {by} {next(self.numbers)}"

    def text(self, name: str) -> bytes:
        text = self.workspace.text(name)
        assert text is not None
        return text

    async def _open(self) -> None:
        home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        # Nothing is said of the turns before, which would have to be summed up.
        chosen = GenerationSettings(recent_messages=0)
        self.world = await self.stack.enter_async_context(a_world(home, generation=chosen))
        self.engine = self.world.engine
        self.workspace = MemoryWorkspace({name: first_text(name) for name in NAMES})
        self.engine.workspaces[PROJECT] = self.workspace
        self.engine.following.follow(self.engine, PROJECT)
        await self._generate(NAMES, 0)
        await self._decide("accept", Choice())

    async def _generate(self, paths: tuple[str, ...], place: int) -> None:
        chosen = {"targets": paths, "editType": "ADD_FEATURE", "reason": "", "confidence": 1}
        self.world.model.choices.append(msgspec.json.encode(chosen).decode())
        line = self.line("generated")
        edits = (edit(name, anchor(place), f"{anchor(place)}\n{line}") for name in paths)
        self.world.model.replies.append("".join(edits) + DONE)
        assert ending(await self.world.work_in(self.workspace, is_edit=True)).outcome == "completed"
        assert self.world.model.replies == []

    async def _save(self, name: str) -> None:
        path, content = ProjectPath.parse(name), self.text(name)
        if self.workspace.documents.pop(name, None) is None:
            return
        self.workspace.disk[name] = content
        shown = self.engine.reviews.with_pending(PROJECT, {path: content})
        known = self.engine.following.known
        stands = await note_files(self.engine.store, PROJECT, shown, SAVED, known)
        sandbox = self.engine.sandboxes.of_project(PROJECT)
        if sandbox is not None and await sandbox.is_alive():
            await sandbox.put({**shown, **stands})

    async def _decide(self, verb: str, choice: Choice) -> None:
        decide = self.engine.reviews.accept if verb == "accept" else self.engine.reviews.reject
        seen = [each for one in self.engine.reviews.pending(PROJECT) for each in one.pending]
        with suppress(ForgeError):
            await self._finish(await decide(self.workspace, choice))
        if verb == "accept":
            self._give_up(seen)

    def _give_up(self, seen: Sequence[FileChange]) -> None:
        """Whoever accepts a change that takes a line of theirs away wanted that."""
        for change in seen:
            if change.path in NAMES:
                before, after = lines_of(change.before), lines_of(change.after)
                gone = before - after - lines_of(self.text(change.path))
                lines = self.typed[change.path]
                lines[:] = [line for line in lines if line not in gone]

    async def _undo(self, which: int) -> None:
        accepted = [each for each in await self._change_sets() if each.undoable]
        if not accepted:
            return
        before = self.workspace.text(NAMES[0]), self.workspace.text(NAMES[1])
        run = await self.engine.reviews.undo(self.workspace, accepted[which % len(accepted)].id)
        last = await self._finish(run)
        if last.outcome != "completed":
            assert last.code == "changed_since", last
            assert before == (self.workspace.text(NAMES[0]), self.workspace.text(NAMES[1]))

    async def _accept_and_undo(self, name: str, place: int) -> None:
        await self._decide("accept", Choice())
        await self._generate((name,), place)
        before = self.text(name)
        waiting = self.engine.reviews.pending(PROJECT)[0]
        last = await self._finish(
            await self.engine.reviews.accept(self.workspace, Choice(waiting.id))
        )
        assert last.outcome == "completed", last
        assert self.text(name) != before
        last = await self._finish(await self.engine.reviews.undo(self.workspace, waiting.id))
        assert last.outcome == "completed", last
        assert self.text(name) == before

    async def _patch(self, name: str, place: int) -> None:
        fragment = await self.engine.store.newest_fragment(PROJECT)
        assert fragment is not None
        path = ProjectPath.parse(name)
        held = (await self.engine.store.fragment_files(fragment.id)).get(path)
        if held is None:
            return
        edited = with_line(held, place, self.line("patched"))
        update = FragmentUpdate(fragment.id, {path: edited}, "owner", expected=fragment.version)
        await update_fragment(self.engine, update)
        await self._quiet()

    async def _kill(self) -> None:
        sandbox = self.engine.sandboxes.of_project(PROJECT)
        if sandbox is not None:
            await sandbox.kill()

    async def _come_to_rest(self) -> None:
        """All is decided and saved: workspace, fragments and sandbox are one."""
        while self.engine.reviews.pending(PROJECT):
            await self._decide("accept", Choice())
            await self._decide("reject", Choice())
        for name in NAMES:
            await self._save(name)
        self.nothing_that_was_typed_is_lost()
        sandbox = await self.engine.sandboxes.ensure(
            "owner", PROJECT, self.workspace, lambda _message: None
        )
        shown = {path: await sandbox.read(ProjectPath.parse(path)) for path in NAMES}
        assert shown == {name: self.text(name) for name in NAMES}
        fragment = await self.engine.store.newest_fragment(PROJECT)
        assert fragment is not None
        held = await self.engine.store.fragment_files(fragment.id)
        assert held == {path: self.text(path) for path in held}

    async def _change_sets(self) -> list[ChangeSet]:
        return list(await self.engine.store.change_sets(PROJECT, limit=50))

    async def _finish(self, run: Run) -> RunFinished:
        last = ending(await self.world.said(run))
        await self._quiet()
        return last

    async def _quiet(self) -> None:
        """Wait until all that was written is brought here, and the runs for it have ended."""
        while True:
            fragment = await self.engine.store.newest_fragment(PROJECT)
            assert fragment is not None
            is_here = self.engine.following.known.taken.get(fragment.id, 0) >= fragment.version
            if is_here and not self.engine.runs.under_way:
                return
            await asyncio.sleep(0.001)


OneTruth.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.slow
@pytest.mark.timeout(300)
class TestOneTruth(OneTruth.TestCase):
    pass
