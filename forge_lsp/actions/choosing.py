"""A model that somebody named for one run."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from forge_lsp.ports.model import Model, ModelEvent, ModelInfo, ModelRequest


class Chosen:
    """A model's server, of which another model is asked than the settings name."""

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name

    @property
    def info(self) -> ModelInfo:
        """Of the server's usual model, but for who writes code."""
        return replace(self._model.info, code_model=self._name)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """As the server answers; what the small model does, it does all the same."""
        is_small = request.purpose in ("select", "summarise")
        asked = request if is_small else replace(request, model=self._name)
        async with aclosing(self._model.stream(asked)) as stream:
            async for event in stream:
                yield event

    async def close(self) -> None:
        """The model is closed by who opened it."""
