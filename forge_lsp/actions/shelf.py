"""The skills that can be asked for: ours, an account's, and those of a workspace."""

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from forge_lsp import skills
from forge_lsp.actions.engine import Engine
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import Conflict, InvalidRequest, NotFound
from forge_lsp.generation.skills import (
    MAX_SKILL_CHARACTERS,
    Skill,
    checked_skill,
    parse_skill,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import SkillRecord
from forge_lsp.ports.workspace import Workspace

FOLDER = ".forge/skills/"
"""Of a workspace: each Markdown file in it is a skill, named as the file is."""
SUFFIX = ".md"
MOST_IN_WORKSPACE = 100
MOST_IN_ACCOUNT = 1_000
MOST_NEAR = 3
BYTES_PER_CHARACTER = 4
"""At most, in UTF-8."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is, and what can't be used."""

    skills: Mapping[str, Skill]
    """By alias; the built-in ones first."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """By alias, why a skill isn't taken: a sentence for people."""


async def shelf(engine: Engine, account: str, workspace: Workspace | None) -> Shelf:
    """Look at all of them anew. Raises `StoreFailed`.

    No name is taken twice: neither an account nor a workspace can put another skill in the place
    of a built-in one, nor a workspace one in the place of the account's.
    """
    known = dict(await asyncio.to_thread(built_in))
    refused: dict[str, str] = {}
    for record in (await engine.store.skills(account))[:MOST_IN_ACCOUNT]:
        try:
            _put(known, checked_skill(as_skill(record)))
        except (InvalidRequest, Conflict) as error:
            refused[record.alias] = error.for_people()
    if workspace is not None:
        await _add_those_of(workspace, known, refused)
    return Shelf(known, refused)


async def known_skills(
    engine: Engine, account: str, workspace: Workspace | None
) -> Sequence[Skill]:
    """All that can be asked for, the built-in ones first. Raises `StoreFailed`."""
    return tuple((await shelf(engine, account, workspace)).skills.values())


async def find_skill(
    engine: Engine, account: str, alias: str, workspace: Workspace | None = None
) -> Skill:
    """The skill of that name. Raises `NotFound`, which tells names that are near,
    `InvalidRequest` for one that is there and can't be used, `StoreFailed`."""
    known = await shelf(engine, account, workspace)
    if alias in known.skills:
        return known.skills[alias]
    if alias in known.refused:
        raise InvalidRequest(known.refused[alias])
    near = difflib.get_close_matches(alias[:64].lower(), known.skills, n=MOST_NEAR, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Known are " + told(known)
    raise NotFound(f"There is no skill {alias[:64]!a}.", remedy=remedy)


async def add_skill(engine: Engine, record: SkillRecord) -> Skill:
    """Keep a skill of an account's own, in place of its one of that name.

    Raises `InvalidRequest` where it can't be taken, `Conflict` for the name of a built-in one,
    `StoreFailed`.
    """
    skill = checked_skill(as_skill(record))
    _put(dict(await asyncio.to_thread(built_in)), skill)
    checked = replace(
        record,
        title=skill.title,
        description=skill.description,
        system_prompt=skill.prompt,
        tags=skill.tags,
    )
    await engine.store.save_skill(checked)
    return skill


def told(known: Shelf) -> str:
    """The names of all, for people, with custom ones marked."""
    return ", ".join(skill.listed for skill in known.skills.values()) + "."


@cache
def built_in() -> Mapping[str, Skill]:
    """Our own, by alias; reads files the first time."""
    return {alias: parse_skill(alias, text, "built_in") for alias, text in skills.texts().items()}


def as_skill(record: SkillRecord) -> Skill:
    """What the store keeps, as a skill that nobody has checked."""
    return Skill(
        alias=record.alias,
        title=record.title,
        description=record.description,
        kind=record.kind,
        prompt=record.system_prompt,
        tags=record.tags,
        sample_args=record.sample_args,
        origin="account",
    )


def _put(known: dict[str, Skill], skill: Skill) -> None:
    other = known.get(skill.alias)
    if other is not None:
        whose = "you have one of that name" if other.is_custom else "that name is built in"
        where = f"{FOLDER}{skill.alias}{SUFFIX}" if skill.origin == "workspace" else skill.alias
        raise Conflict(f"The skill {where} isn't used: {whose}.", remedy="Name it otherwise.")
    known[skill.alias] = skill


async def _add_those_of(
    workspace: Workspace, known: dict[str, Skill], refused: dict[str, str]
) -> None:
    for path in await _files(workspace):
        alias = path.name.removesuffix(SUFFIX)
        try:
            _put(known, await _read(workspace, path, alias))
        except (InvalidRequest, Conflict) as error:
            refused.setdefault(alias, error.for_people())


async def _files(workspace: Workspace) -> Sequence[ProjectPath]:
    found = [
        path
        for path in await workspace.files()
        if path.startswith(FOLDER) and path.endswith(SUFFIX) and "/" not in path[len(FOLDER) :]
    ]
    return found[:MOST_IN_WORKSPACE]


async def _read(workspace: Workspace, path: ProjectPath, alias: str) -> Skill:
    content = await workspace.read(path)
    if content is None:
        raise InvalidRequest(f"{path} can't be used: it can't be read.")
    if len(content) > BYTES_PER_CHARACTER * MAX_SKILL_CHARACTERS:
        raise InvalidRequest(f"{path} can't be used: it is too long.")
    text = as_text(content)
    if text is None:
        raise InvalidRequest(f"{path} can't be used: it isn't UTF-8 text.")
    return parse_skill(alias, text, "workspace")
