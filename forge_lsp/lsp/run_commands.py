"""forge.cancel, forge.runs, forge.status."""

from dataclasses import asdict
from typing import Any

from lsprotocol import types

from forge_lsp.errors import NotFound, WorkspaceRefused
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session, Started

MOST_RUNS = 200


async def cancel(
    session: Session, given: arguments.RunNamed, token: types.ProgressToken | None
) -> Started:
    """End a run: the one named, else the one that this client started last."""
    del token
    run_id = given.run_id or session.watcher.newest
    if run_id is None:
        raise NotFound("Nothing is under way.")
    engine = await session.engine()
    await engine.runs.cancel(run_id)
    return Started(runId=run_id)


async def runs(
    session: Session, given: arguments.Runs, token: types.ProgressToken | None
) -> list[dict[str, Any]]:
    """The newest runs first."""
    del token
    engine = await session.engine()
    limit = max(1, min(given.limit, MOST_RUNS))
    return [
        {
            "runId": run.id,
            "kind": run.kind,
            "title": run.title,
            "startedAt": run.started_at,
            "endedAt": run.ended_at,
            "outcome": run.outcome,
            "inputTokens": run.input_tokens,
            "outputTokens": run.output_tokens,
            "costUsd": run.cost_usd,
        }
        for run in await engine.runs.recent(limit=limit)
    ]


async def tell_status(
    session: Session, given: arguments.Nothing, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Show what there is and what is missing, in words and as data."""
    del given, token
    from forge_lsp.actions.status import sentences, status

    project = ""
    lines: list[str] = []
    try:
        project = (await session.workspace(None)).project
    except WorkspaceRefused as error:
        lines.append(f"Missing: {error.for_people()}")
    engine = await session.engine()
    found = await status(engine, project)
    if session.url:
        lines.insert(0, f"HTTP: {session.url}")
    session.client.show("\n".join([*sentences(found), *lines]))
    return {**asdict(found), "project": project, "httpUrl": session.url}
