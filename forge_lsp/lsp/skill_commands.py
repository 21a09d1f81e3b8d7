"""forge.skills, forge.skill.run and forge.augmenter.run."""

from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp import events
from forge_lsp.changes.hunks import Hunk
from forge_lsp.errors import ForgeError, InvalidRequest
from forge_lsp.lsp import arguments
from forge_lsp.lsp.critiques import Critique, show_critique
from forge_lsp.lsp.generation_commands import selected
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forge_lsp.actions.engine import Engine
    from forge_lsp.actions.skills import Skill
    from forge_lsp.runs import Run

OWNER = "owner"
MOST_NAMED = 12
"""Files that a message names."""
MOST_TOLD_CHARACTERS = 600


async def skills(
    session: Session, given: arguments.Skills, token: types.ProgressToken | None
) -> list[dict[str, str]]:
    """Every skill that can be run in the workspace, by alias."""
    del token
    from forge_lsp.actions.skills import known_skills

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    known = await known_skills(engine, OWNER, workspace)
    return [
        {
            "alias": each.alias,
            "title": each.title,
            "description": each.description,
            "kind": each.kind,
            "origin": each.origin,
        }
        for each in sorted(known, key=lambda each: each.alias)
    ]


async def run_skill(
    session: Session, given: arguments.RunSkill, token: types.ProgressToken | None
) -> Started:
    """Have a critique look at the selection, the document, or the whole workspace."""
    from forge_lsp.actions.skills import SkillRequest
    from forge_lsp.actions.skills import run_skill as start
    from forge_lsp.actions.sources import FirstSeen

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    skill = await _find(engine, workspace, given.alias, "critique")
    active = given.text_document and workspace.path_of(given.text_document.uri)
    source = FirstSeen(workspace)
    request = SkillRequest(
        skill=skill,
        source=source,
        args=given.args,
        selection=selected(workspace, given.text_document, given.range),
        first=[active] if active else [],
        workspace=workspace,
        may_go_on=session.client.may_go_on,
    )
    run = await start(engine, request)
    critique = Critique(engine, run, skill, workspace, source)
    session.tasks.start(show_critique(session, critique), f"show the critique of {run.id}")
    return session.follow(engine, run, token)


async def run_augmenter(
    session: Session, given: arguments.RunAugmenter, token: types.ProgressToken | None
) -> Started:
    """Have an augmenter change the workspace, or tell what it would change."""
    from forge_lsp.actions.skills import AugmenterRequest
    from forge_lsp.actions.skills import run_augmenter as start

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    skill = await _find(engine, workspace, given.alias, "augmenter")
    request = AugmenterRequest(
        skill=skill,
        workspace=workspace,
        dry_run=given.dry_run,
        force=given.force,
        args=given.args,
        may_go_on=session.client.may_go_on,
    )
    run = await start(engine, request)
    telling = _tell_dry_run if given.dry_run else _tell
    session.tasks.start(telling(session, engine, run, skill), f"tell of {run.id}")
    return session.follow(engine, run, token)


async def _find(engine: "Engine", workspace: EditorWorkspace, alias: str, kind: str) -> "Skill":
    """Raises `InvalidRequest`, which lists those of the kind, where none is named."""
    from forge_lsp.actions.skills import find_skill, shelf

    if alias:
        return await find_skill(engine, OWNER, alias, workspace)
    known = await shelf(engine, OWNER, workspace)
    names = ", ".join(each.listed for each in known.skills.values() if each.kind == kind)
    left_out = "".join(f" {why}" for why in known.refused.values())
    raise InvalidRequest(
        f"Which {kind}? There are {names}.{left_out}", remedy='Name it as {"alias": "…"}.'
    )


async def _tell(session: Session, engine: "Engine", run: "Run", skill: "Skill") -> None:
    """Say what the model says of its changes: what is left to do by hand stands there."""
    for event in await _events(engine, run):
        if isinstance(event, events.AugmenterChanged) and event.status == "applied":
            told = plain(" ".join(event.message.split()), MOST_TOLD_CHARACTERS)
            session.client.show(f"{skill.title}: {told}")


async def _tell_dry_run(session: Session, engine: "Engine", run: "Run", skill: "Skill") -> None:
    said = await _events(engine, run)
    last = said[-1] if said else None
    if not isinstance(last, events.RunFinished) or last.outcome != "completed":
        return
    changes = [_change(each) for each in said if isinstance(each, events.FileFinished)]
    more = len(changes) - MOST_NAMED
    told = changes[:MOST_NAMED] + ([f"{more} more"] if more > 0 else [])
    session.client.show(f"{skill.title} would change {', '.join(told) or 'nothing'}.")


def _change(file: events.FileFinished) -> str:
    if file.content is None:
        return f"{file.path} (deleted)"
    new = Hunk(0, 0, 0, len(file.content.splitlines()))
    hunks = file.hunks or (new,)
    added, removed = sum(h.after_count for h in hunks), sum(h.before_count for h in hunks)
    return f"{file.path} (+{added} -{removed})"


async def _events(engine: "Engine", run: "Run") -> "Sequence[events.Event]":
    """All of a run, but what it streams; empty where its journal can't be read."""
    streamed = events.TextDelta | events.FileDelta
    try:
        return [
            recorded.event
            async for recorded in engine.runs.subscribe(run.id)
            if not isinstance(recorded.event, streamed)
        ]
    except ForgeError:
        # Whoever follows the run for the editor tells of that.
        return ()
