"""The demo model's skills: what is prepared fits its own apps and is what a model would send."""

from collections.abc import Mapping
from importlib import resources

import pytest
from claude_asking import events_of, text_of, the_demo

from forge_lsp import skills
from forge_lsp.claude.demo.catalogue import apps
from forge_lsp.claude.demo.written import CANNED
from forge_lsp.generation.context import ContextFile
from forge_lsp.generation.edits import apply_blocks
from forge_lsp.generation.insights import FoundInsight, InsightParser
from forge_lsp.generation.parser import ReplyParser
from forge_lsp.generation.prompts import project_context, system_prompt
from forge_lsp.generation.reply import Dropped, EditBlocks, ReplyEnded, WholeFile
from forge_lsp.generation.skill_prompts import (
    CRITIQUE_SYSTEM,
    augmenter_prompt,
    critique_prompt,
    numbered_context,
)
from forge_lsp.generation.skills import Skill, parse_skill
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, ModelRequest
from forge_lsp.sandbox.template import template_files

KNOWN = {alias: parse_skill(alias, text, "built_in") for alias, text in skills.texts().items()}
APPS = {"counter": apps()[0], "landing": apps()[-1]}
PREPARED = sorted(
    place.name.removesuffix(".txt")
    for place in (resources.files("forge_lsp.claude.demo") / "skills").iterdir()
)
CRITIQUES = [name for name in PREPARED if KNOWN[name.rpartition("-")[0]].kind == "critique"]
AUGMENTERS = [name for name in PREPARED if name not in CRITIQUES]


def project(app: str) -> dict[str, str]:
    template = {path: data.decode() for path, data in template_files().items()}
    return {**template, **APPS[app].files}


def shown(files: Mapping[str, str]) -> list[ContextFile]:
    return [ContextFile(ProjectPath.parse(p), text, is_partial=False) for p, text in files.items()]


async def asked_of_demo(
    skill: Skill, files: Mapping[str, str], *, whole_files: bool = False
) -> str:
    if skill.kind == "critique":
        system, context = CRITIQUE_SYSTEM, numbered_context(shown(files), list(files))
        prompt = critique_prompt(skill, args="")
    else:
        system = system_prompt(whole_files=whole_files, has_template=True)
        context = project_context(shown(files), list(files))
        prompt = augmenter_prompt(skill, args="")
    async with the_demo() as model:
        request = ModelRequest("skill", system, context, [Message("user", prompt)])
        return text_of(await events_of(model, request))


def test_every_critique_is_prepared_for_both_apps_and_most_augmenters_too() -> None:
    critiques = {alias for alias, skill in KNOWN.items() if skill.kind == "critique"}
    assert {f"{alias}-{app}" for alias in critiques for app in APPS} == set(CRITIQUES)
    assert {name.rpartition("-")[0] for name in AUGMENTERS} >= {"a11y", "seo", "pwa", "geo"}


@pytest.mark.parametrize("name", CRITIQUES)
async def test_insights_stand_on_the_line_that_they_speak_of(name: str) -> None:
    alias, _, app = name.rpartition("-")
    files = project(app)
    reply = await asked_of_demo(KNOWN[alias], files)
    assert reply.startswith(CANNED)
    parser = InsightParser()
    found = [e for e in [*parser.feed(reply), *parser.finish()] if isinstance(e, FoundInsight)]
    assert found
    prepared = resources.files("forge_lsp.claude.demo") / "skills" / f"{name}.txt"
    for each in found:
        assert each.path is not None, each.label
        assert each.line is not None, each.label
        line = files[each.path].splitlines()[each.line - 1]
        ats = [part.partition('"')[0] for part in prepared.read_text().split(' at="')[1:]]
        assert any(at in line for at in ats)


@pytest.mark.parametrize("whole_files", [False, True])
@pytest.mark.parametrize("name", AUGMENTERS)
async def test_changes_fit_the_apps_and_are_made_once(name: str, whole_files: bool) -> None:
    alias, _, app = name.rpartition("-")
    files = project(app)
    before = dict(files)
    reply = await asked_of_demo(KNOWN[alias], files, whole_files=whole_files)
    parser = ReplyParser()
    parsed = [*parser.feed(reply), *parser.finish()]
    assert ReplyEnded() in parsed
    assert not [each for each in parsed if isinstance(each, Dropped)]
    for each in parsed:
        if isinstance(each, WholeFile):
            files[each.path] = each.content
        elif isinstance(each, EditBlocks):
            made = apply_blocks(files[each.path], each.blocks)
            assert made.content is not None, made.failures
            files[each.path] = made.content
    assert files != before
    again = await asked_of_demo(KNOWN[alias], files, whole_files=whole_files)
    assert "There is nothing to do." in again


async def test_for_other_code_it_says_that_nothing_is_prepared() -> None:
    for alias in ("review", "seo"):
        reply = await asked_of_demo(KNOWN[alias], {"src/main.rs": "fn main() {}\n"})
        assert f"nothing prepared for {alias} on this code" in reply
