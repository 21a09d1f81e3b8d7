"""What a run's requests to models have cost, and the question whether it may go on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from forge_lsp.actions.engine import Engine
from forge_lsp.errors import ModelFailed
from forge_lsp.ports.model import Model, ModelDone, ModelEvent, ModelInfo, ModelRequest

MayGoOn = Callable[[float], Awaitable[bool]]
"""Asks a person whether a run may go on that has cost so many US dollars."""


class CostCeilingReached(ModelFailed):
    """A run has cost as much as the settings allow, and nobody said that it may go on."""

    code = "cost_ceiling"
    remedy = "Raise runs.max_cost_usd, or ask for less at once. What was finished is kept."


class Metered:
    """A model that counts what one run spends, and asks before it goes past the ceiling."""

    def __init__(self, model: Model, ceiling_usd: float, may_go_on: MayGoOn | None) -> None:
        """Whoever may go on may spend the ceiling once more before the next question."""
        self.spent_usd = 0.0
        self._model = model
        self._step_usd = self._ceiling_usd = ceiling_usd
        self._may_go_on = may_go_on
        self._asking = asyncio.Lock()
        self._is_stopped = False

    @property
    def info(self) -> ModelInfo:
        """Of the model."""
        return self._model.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """As the model's own; raises `CostCeilingReached` before a request that is too much."""
        await self._check()
        async with aclosing(self._model.stream(request)) as stream:
            async for event in stream:
                if isinstance(event, ModelDone):
                    self.spent_usd += event.usage.cost_usd or 0.0
                yield event

    async def close(self) -> None:
        """The model is closed by who opened it."""

    async def _check(self) -> None:
        # Several may be about to ask the model at once: the person hears one question.
        async with self._asking:
            if self.spent_usd < self._ceiling_usd:
                return
            if not self._is_stopped and self._may_go_on and await self._may_go_on(self.spent_usd):
                self._ceiling_usd = self.spent_usd + self._step_usd
                return
            self._is_stopped = True
            raise CostCeilingReached(
                f"The run has cost ${self.spent_usd:.2f}, and runs.max_cost_usd is "
                f"${self._step_usd:.2f}."
            )


async def model_for_run(engine: Engine, may_go_on: MayGoOn | None = None) -> Model:
    """The model as one run asks it; raises what opening it raises."""
    model = await engine.model.get()
    ceiling_usd = engine.settings.runs.max_cost_usd
    return model if ceiling_usd is None else Metered(model, ceiling_usd, may_go_on)
