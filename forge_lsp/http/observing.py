"""Watches the engine at work for the metrics: its runs, its model, its event loop."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from forge_lsp import events
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.errors import ForgeError, StoreFailed
from forge_lsp.events import Event
from forge_lsp.http.metrics import Metrics
from forge_lsp.ports.model import (
    Model,
    ModelDone,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    Retrying,
    TextPiece,
)
from forge_lsp.runs import PAGE, Run

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""How often the event loop is asked how late it is."""


class Observer:
    """Counts what an engine does. What it follows are tasks of its own, ended by `close`."""

    def __init__(self, metrics: Metrics, engine: Late[Engine]) -> None:
        self._metrics = metrics
        self._engine = engine
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._loop_watch: asyncio.Task[None] | None = None
        self._is_attached = False
        metrics.runs_under_way.set_function(self._under_way)

    def observed(self) -> Late[Engine]:
        """The same engine, with a model whose replies are timed."""
        return Late(self._open_observed)

    def start(self) -> None:
        """Begin to look at the event loop."""
        self._loop_watch = asyncio.create_task(self._watch_loop(), name="watch of the event loop")
        self._loop_watch.add_done_callback(_log_death)

    async def close(self) -> None:
        """Stop watching; the runs go on."""
        tasks = list(self._followed.values())
        if self._loop_watch is not None:
            tasks.append(self._loop_watch)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _open_observed(self) -> Engine:
        engine = await self._engine.get()
        self._attach(engine)

        async def open_timed() -> Model:
            return TimedModel(await engine.model.get(), self._metrics)

        return dataclasses.replace(engine, model=Late(open_timed))

    def _attach(self, engine: Engine) -> None:
        """Count every run, whoever asks for it."""
        if not self._is_attached:
            self._is_attached = True
            engine.runs.on_start(partial(self._follow, engine))

    def _follow(self, engine: Engine, run: Run) -> None:
        task = asyncio.create_task(self._count(engine, run), name=f"count of {run.id}")
        self._followed[run.id] = task
        task.add_done_callback(lambda ended: self._forget(run.id, ended))

    def _under_way(self) -> float:
        engine = self._engine.opened
        return float(engine.runs.under_way) if engine else 0.0

    def _forget(self, run_id: str, ended: asyncio.Task[None]) -> None:
        del self._followed[run_id]
        _log_death(ended)

    async def _count(self, engine: Engine, run: Run) -> None:
        began = time.monotonic()
        self._metrics.runs_started.labels(run.record.kind).inc()
        seq = 0
        try:
            while True:
                page = run.after(seq)
                if page is None:
                    page = await engine.store.events(run.id, seq, PAGE)
                for recorded in page:
                    seq = recorded.seq
                    self._tally(run, recorded.event)
                if not page and run.is_finished:
                    break
                if not page:
                    await run.changed()
        except StoreFailed as error:
            log.warning("run %s is not counted to its end: %s", run.id, error.message)
        self._metrics.run_seconds.labels(run.record.kind).observe(time.monotonic() - began)

    def _tally(self, run: Run, event: Event) -> None:
        metrics = self._metrics
        metrics.events.labels(type(event).__struct_config__.tag).inc()
        match event:
            case events.Usage():
                metrics.tokens.labels("input").inc(event.input_tokens)
                metrics.tokens.labels("output").inc(event.output_tokens)
                metrics.tokens.labels("cache_read").inc(event.cache_read_tokens)
                metrics.tokens.labels("cache_write").inc(event.cache_write_tokens)
                metrics.cost.inc(event.cost_usd or 0)
            case events.SandboxReady():
                metrics.sandboxes_ready.inc()
            case events.RunFinished():
                metrics.runs_finished.labels(run.record.kind, event.outcome).inc()
            case _:
                # The other events are only counted by their type.
                pass

    async def _watch_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            # An editor's engine is opened by the editor.
            if (engine := self._engine.opened) is not None:
                self._attach(engine)
            due = clock() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            self._metrics.loop_lag_seconds.observe(max(0.0, clock() - due))


class TimedModel:
    """A model whose replies are timed and whose failures are counted, on their way through."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    @property
    def info(self) -> ModelInfo:
        """That of the model itself."""
        return self._model.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `Model.stream`."""
        metrics, purpose, began = self._metrics, request.purpose, time.monotonic()
        is_begun = False
        try:
            async with aclosing(self._model.stream(request)) as reply:
                async for event in reply:
                    if isinstance(event, TextPiece) and not is_begun:
                        is_begun = True
                        took_s = time.monotonic() - began
                        metrics.model_first_word_seconds.labels(purpose).observe(took_s)
                    elif isinstance(event, Retrying):
                        metrics.model_retries.inc()
                    elif isinstance(event, ModelDone) and event.stop in ("cut", "refusal"):
                        metrics.model_errors.labels(event.stop).inc()
                    yield event
        except ForgeError as error:
            metrics.model_errors.labels(error.code).inc()
            raise
        finally:
            metrics.model_seconds.labels(purpose).observe(time.monotonic() - began)

    async def close(self) -> None:
        """Close the model itself."""
        await self._model.close()


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s broke", task.get_name(), exc_info=error)
