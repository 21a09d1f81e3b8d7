"""The real engine on a real store, with a scripted model and sandboxes in memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from memory_sandbox import MemoryProvider
from memory_workspace import MemoryWorkspace
from scripted import Reply, ScriptedModel

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.generate import generate
from forge_lsp.actions.late import Late
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.review import Reviews
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.actions.sources import GivenFiles
from forge_lsp.events import Event, FileApplied, RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Model
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.runs import Run, Runs
from forge_lsp.settings import GenerationSettings, Places, RepairSettings, ReviewSettings, Settings
from forge_lsp.store.sql import open_store

WAIT_S = 20
PROJECT = "file:///app"

E = TypeVar("E")


@dataclass
class World:
    """An engine, and what it was made with."""

    engine: Engine
    model: ScriptedModel
    provider: MemoryProvider

    async def said(self, run: Run) -> list[Event]:
        """Everything that the run says, to its end; the last word without how long it took."""
        async with asyncio.timeout(WAIT_S):
            events = [each.event async for each in self.engine.runs.subscribe(run.id)]
            await run.finished()
        return [
            msgspec.structs.replace(each, duration_ms=0) if isinstance(each, RunFinished) else each
            for each in events
        ]

    async def edit(self, files: dict[str, bytes], prompt: str = "Change it.") -> list[Event]:
        """Edit given files."""
        request = GenerateRequest(prompt, given(files), is_edit=True)
        return await self.said(await generate(self.engine, request))

    async def new(self, prompt: str = "Make a page.", **fields: Any) -> list[Event]:
        """Make something new out of nothing."""
        request = GenerateRequest(prompt, given({}), **fields)
        return await self.said(await generate(self.engine, request))

    async def start_in(
        self, workspace: MemoryWorkspace, prompt: str = "Make a page.", *, is_edit: bool = False
    ) -> Run:
        """Begin to generate in a workspace."""
        request = GenerateRequest(
            prompt, workspace, is_edit=is_edit, workspace=workspace, project=workspace.project
        )
        return await generate(self.engine, request)

    async def work_in(self, workspace: MemoryWorkspace, *, is_edit: bool = False) -> list[Event]:
        """Generate in a workspace, to the end."""
        return await self.said(await self.start_in(workspace, is_edit=is_edit))

    @property
    def pending(self) -> dict[str, bytes | None]:
        """What waits for review in the project: each file as it is to be."""
        return {
            change.path: change.after
            for change_set in self.engine.reviews.pending(PROJECT)
            for change in change_set.pending
        }


@asynccontextmanager
async def a_world(
    home: Path,
    *replies: Reply | str,
    choices: Sequence[Reply | str] = (),
    generation: GenerationSettings | None = None,
    review: ReviewSettings | None = None,
    repair: RepairSettings | None = None,
    whole_files: bool = False,
) -> AsyncGenerator[World]:
    """Opens an engine whose model gives `replies`, and closes it."""
    settings = Settings(
        generation=generation or GenerationSettings(),
        review=review or ReviewSettings(),
        repair=repair or RepairSettings(),
    )
    store = await open_store(f"sqlite:///{home}/forge.db")
    model = ScriptedModel(list(replies), list(choices), whole_files)
    provider = MemoryProvider()

    async def get_model() -> Model:
        return model

    async def get_provider() -> SandboxProvider:
        return provider

    runs = Runs(store, coalesce_s=0.0, max_active=16)
    sandboxes = Sandboxes(Late(get_provider))
    engine = Engine(
        settings=settings,
        places=Places.find(home),
        store=store,
        runs=runs,
        model=Late(get_model),
        sandboxes=sandboxes,
        reviews=Reviews(store, runs, sandboxes, settings.review),
    )
    try:
        yield World(engine, model, provider)
    finally:
        async with asyncio.timeout(WAIT_S):
            await engine.close()


def given(files: dict[str, bytes]) -> GivenFiles:
    return GivenFiles({ProjectPath.parse(path): content for path, content in files.items()})


def of(kind: type[E], events: Sequence[Event]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def ending(events: Sequence[Event]) -> RunFinished:
    """The last word, which is there once, without what the run took."""
    (last,) = of(RunFinished, events)
    assert events[-1] == last
    return msgspec.structs.replace(last, tokens_used=0, duration_ms=0)


def applied(events: Sequence[Event], target: str) -> dict[str, bool]:
    """What an applier answered, by path."""
    return {each.path: each.ok for each in of(FileApplied, events) if each.target == target}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


def file(path: str, content: str) -> str:
    return f'<file path="{path}">\n{content}</file>\n'


def edit(path: str, search: str, replace: str) -> str:
    return (
        f'<edit path="{path}">\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n'
        "</edit>\n"
    )


DONE = "<done/>\n"
