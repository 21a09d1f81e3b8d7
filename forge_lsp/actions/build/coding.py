"""The second step of a build: the plan's files, several at once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from forge_lsp import events
from forge_lsp.actions.drafting import Drafting
from forge_lsp.actions.writing import Writing
from forge_lsp.errors import ModelFailed
from forge_lsp.events import Planned, PlannedFile
from forge_lsp.generation.plans import file_prompt, next_file
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, Model, ModelEvent, ModelInfo, ModelRequest
from forge_lsp.settings import GenerationSettings


class Coding:
    """Has each file of a plan written, by as many agents at once as `width` says.

    All send the same prefix. The first is alone until its reply begins: only then a server that
    caches prompts has something to give to the others.
    """

    def __init__(
        self,
        model: Model,
        work: Drafting,
        planned: Planned,
        ask: ModelRequest,
        settings: GenerationSettings,
        *,
        width: int,
    ) -> None:
        """`ask` is what all agents are told; each gets a message of its own."""
        self._model = _Announcing(model, self._tell)
        self._work = work
        self._planned = planned
        self._ask = ask
        self._settings = settings
        self._width = width
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._changed = asyncio.Condition()

    async def write(self) -> Sequence[str]:
        """Write all that isn't there yet; gives the paths of the files that nothing came of.

        An agent that fails ends nothing: the others go on. Raises `StoreFailed`.
        """
        manifest = self._planned.manifest
        self._begun = {file.path for file in manifest if self._is_there(file)}
        self._done = set(self._begun)
        try:
            async with asyncio.TaskGroup() as agents:
                for number in range(self._width):
                    agents.create_task(self._write_files(), name=f"coding agent {number + 1}")
        except ExceptionGroup as failures:
            # The first failure is why the others were broken off.
            raise failures.exceptions[0] from None
        return [file.path for file in manifest if not self._is_there(file)]

    async def _write_files(self) -> None:
        while (file := await self._next()) is not None:
            await self._write(file)
            self._done.add(file.path)
            stage = events.Stage(f"Wrote {file.path}", len(self._done), len(self._planned.manifest))
            await self._work.run.append(stage)
            await self._tell()

    async def _next(self) -> PlannedFile | None:
        """The next file to be begun, as soon as it may be; None where all have been."""
        async with self._changed:
            while len(self._begun) < len(self._planned.manifest):
                is_alone = len(self._begun) > len(self._done) and not self._model.has_begun
                file = next_file(self._planned.manifest, self._begun, self._done)
                if file is not None and not is_alone:
                    self._begun.add(file.path)
                    return file
                await self._changed.wait()
        return None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _write(self, file: PlannedFile) -> None:
        run, drafts = self._work.run, self._work.drafts
        others = {each.path for each in self._planned.manifest} - {file.path}
        of_others = frozenset(map(ProjectPath.parse, others))
        prompt = file_prompt(file, self._planned, await self._texts(file.uses))
        ask = replace(self._ask, messages=[*self._ask.messages, Message("user", prompt)])
        agent = drafts.another(of_others)
        try:
            await Writing(run, self._model, agent, self._settings, is_one_of_many=True).write(ask)
        except ModelFailed as error:
            told = f"{file.path} was not written. {error.for_people()}"
            await run.append(events.Problem(error.code, told, file.path))
        else:
            if not self._is_there(file):
                told = f"{file.path} was not written: nothing usable came for it."
                await run.append(events.Problem("file_missing", told, file.path))

    async def _texts(self, paths: Sequence[str]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for path in paths:
            text = await self._work.drafts.text(ProjectPath.parse(path))
            if text is not None and path in self._done:
                texts[path] = text
        return texts

    def _is_there(self, file: PlannedFile) -> bool:
        path, drafts = ProjectPath.parse(file.path), self._work.drafts
        return path in drafts.changes or path in drafts.unchanged


class _Announcing:
    """A model that says when the first of its replies begins."""

    def __init__(self, model: Model, tell: Callable[[], Awaitable[None]]) -> None:
        self.has_begun = False
        self._model = model
        self._tell = tell

    @property
    def info(self) -> ModelInfo:
        """Of the model."""
        return self._model.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """As the model's own."""
        async with aclosing(self._model.stream(request)) as stream:
            async for event in stream:
                if not self.has_begun:
                    self.has_begun = True
                    await self._tell()
                yield event

    async def close(self) -> None:
        """The model is closed by who opened it."""
