"""forge.build and forge.resume."""

from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session, Started
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forge_lsp.actions.engine import Engine
    from forge_lsp.generation.skills import Skill

OWNER = "owner"
HOW_TO_ASK = 'Give it as {"prompt": "a landing page with pricing", "augmenters": ["seo"]}.'


async def build(
    session: Session, given: arguments.Build, token: types.ProgressToken | None
) -> Started:
    """A whole app from a prompt."""
    if not given.prompt.strip():
        raise InvalidRequest("Prompt is required.", remedy=HOW_TO_ASK)
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    prompt = given.prompt.encode("utf-8", "replace").decode()
    return await _start(session, engine, workspace, prompt, given.augmenters, "", token)


async def resume(
    session: Session, given: arguments.Resume, token: types.ProgressToken | None
) -> Started:
    """Go on with a build that was broken off: the one named, else the workspace's newest."""
    from forge_lsp.actions.build.resuming import earlier, resumable

    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    run_id = given.run_id
    if run_id is None:
        record = await resumable(engine, workspace.project)
        if record is None:
            raise NotFound(
                "No build of this workspace was broken off.", remedy="Start one with forge.build."
            )
        run_id = record.id
    elif (await engine.runs.record(run_id)).project != workspace.project:
        raise NotFound(f"The run {run_id} is none of this workspace's.")
    asked = (await earlier(engine, run_id)).asked
    return await _start(session, engine, workspace, asked.prompt, asked.augmenters, run_id, token)


async def _start(  # noqa: PLR0917 - Each is what one of the two commands was given.
    session: Session,
    engine: "Engine",
    workspace: EditorWorkspace,
    prompt: str,
    aliases: "Sequence[str]",
    resumes: str,
    token: types.ProgressToken | None,
) -> Started:
    from forge_lsp.actions.build.building import BuildRequest
    from forge_lsp.actions.build.building import build as start

    request = BuildRequest(
        prompt=prompt,
        workspace=workspace,
        augmenters=[await _augmenter(engine, workspace, alias) for alias in aliases],
        resumes=resumes,
        may_go_on=session.client.may_go_on,
    )
    return session.follow(engine, await start(engine, request), token)


async def _augmenter(engine: "Engine", workspace: EditorWorkspace, alias: str) -> "Skill":
    from forge_lsp.actions.skills import find_skill

    skill = await find_skill(engine, OWNER, alias, workspace)
    if skill.kind != "augmenter":
        raise InvalidRequest(
            f"{alias} is no augmenter.", remedy="Run it with forge.skill.run instead."
        )
    return skill
