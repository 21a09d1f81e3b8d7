"""Builds in an app: one at a time."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from forge_lsp.actions.apps import app_workspace
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.skills import Skill, find_skill
from forge_lsp.errors import Conflict, InvalidRequest, NotFound
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.runs import Run
from forge_lsp.turns import Turns

WRITES = frozenset({"build", "augmenter"})
"""The kinds of runs that change an app."""
_LOOKED_AT = 50
"""Runs of an app, the newest first, among which one may be under way."""
_starting = Turns()
"""By app: of two who look at once whether it is idle, one has to begin first."""


async def start_build(
    engine: Engine,
    app: AppRecord,
    prompt: str,
    augmenters: Sequence[str] = (),
    model: str | None = None,
) -> Run:
    """Start a build in the app, which goes on in its chat; `model` writes it, or the usual one.

    Raises what `build` does, also for an alias that is no augmenter, and `Conflict` while another
    run changes the app.
    """
    workspace = app_workspace(engine, app)
    asked = BuildRequest(
        prompt=prompt,
        workspace=workspace,
        account=app.account,
        augmenters=[await find_augmenter(engine, app, alias) for alias in augmenters],
        app=app,
        conversation=app.chat_id,
        model=model,
    )
    async with alone(engine, app):
        return await build(engine, asked)


async def find_augmenter(engine: Engine, app: AppRecord, alias: str) -> Skill:
    """The augmenter; raises `InvalidRequest` where there is none of that name."""
    try:
        skill = await find_skill(engine, app.account, alias, app_workspace(engine, app))
    except NotFound as error:
        raise InvalidRequest(error.for_people()) from None
    if skill.kind != "augmenter":
        raise InvalidRequest(f"{alias} is no augmenter: it changes nothing; run it as a skill")
    return skill


@asynccontextmanager
async def alone(engine: Engine, app: AppRecord) -> AsyncGenerator[None]:
    """While a run that changes the app is started; raises `Conflict` while there is another."""
    async with _starting.of(app.id):
        await check_idle(engine, app)
        yield


async def check_idle(engine: Engine, app: AppRecord) -> None:
    """Raises `Conflict` while a run changes the app."""
    runs = await engine.store.runs(limit=_LOOKED_AT, project=app.workspace_id)
    open_runs = [run for run in runs if run.outcome is None and run.kind in WRITES]
    living = await engine.store.living([run.owner for run in open_runs])
    for run in open_runs:
        if run.owner in living:
            raise Conflict(f"The run {run.id} is changing this app; wait for it, or cancel it.")


def with_context(prompt: str, context: str | Mapping[str, object] | None) -> str:
    """The prompt, and under it what the client wants the model to know."""
    if not context:
        return prompt
    text = context if isinstance(context, str) else json.dumps(context, ensure_ascii=False)
    return f"{prompt}\n\nWhat there is to know of the workspace:\n{text}"
