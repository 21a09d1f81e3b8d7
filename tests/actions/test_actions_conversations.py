"""Conversations of a workspace: what a follow-up is shown, and what is kept of each turn."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from action_world import DONE, PROJECT, World, a_world, edit, ending, file, given, of
from builders import Builders
from memory_workspace import MemoryWorkspace
from scripted import Reply

from forge_lsp import events
from forge_lsp.actions.build.building import BuildRequest, build
from forge_lsp.actions.conversations import (
    begin_conversation,
    conversation_of,
    current_conversation,
    list_conversations,
    open_conversation,
    project_of_folder,
)
from forge_lsp.actions.fix import FixRequest, fix
from forge_lsp.actions.generate import generate
from forge_lsp.actions.late import Late
from forge_lsp.actions.projects import new_project, send
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.errors import ModelBusy, NotFound
from forge_lsp.ports.model import Message, Model
from forge_lsp.ports.projects import ChangedFile, ProjectRecord
from forge_lsp.runs import Run
from forge_lsp.settings import GenerationSettings

APP = {"package.json": b"{}", "src/a.ts": b"a\n"}
FEW = GenerationSettings(recent_messages=4)
"""Two turns are shown in whole."""


def workspace() -> MemoryWorkspace:
    return MemoryWorkspace(APP)


async def project(world: World) -> ProjectRecord:
    return await project_of_folder(world.engine, PROJECT, "owner")


async def current(world: World) -> str:
    return (await current_conversation(world.engine, await project(world))).id


async def asked(world: World, prompt: str, folder: MemoryWorkspace | None = None) -> Run:
    run = await world.start_in(folder or workspace(), prompt)
    await world.said(run)
    return run


def shown(world: World) -> list[str]:
    """What the model was shown of the conversation when it was last asked for code."""
    return [each.text for each in world.model.asked_for_code[-1].messages[:-1]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    replies = [f"Answer {number}.\n" + DONE for number in range(20)]
    choices = [f"- Summary {number}." for number in range(20)]
    async with a_world(tmp_path, *replies, choices=choices, generation=FEW) as made:
        yield made


# Which conversation it is


async def test_prompts_in_a_workspace_are_one_conversation_until_another_is_begun(
    world: World,
) -> None:
    await asked(world, "Make it blue.")
    first = await current(world)
    await asked(world, "And round.")
    assert shown(world) == ["Make it blue.", "Answer 0."]
    second = await begin_conversation(world.engine, await project(world))
    assert await current(world) == second.id != first
    await asked(world, "Now green.")
    assert shown(world) == []
    await open_conversation(world.engine, await project(world), first)
    await asked(world, "Go on.")
    assert shown(world) == ["Make it blue.", "Answer 0.", "And round.", "Answer 1."]
    listed = await list_conversations(world.engine, await project(world))
    assert [(each.conversation.title, each.messages) for each in listed] == [
        ("Now green.", 2),
        ("Make it blue.", 6),
    ]


async def test_a_new_conversation_in_a_fresh_project_is_the_only_one(world: World) -> None:
    begun = await begin_conversation(world.engine, await project(world))
    assert begun.id == await current(world)
    assert len(await list_conversations(world.engine, await project(world))) == 1


async def test_a_turn_stays_where_it_was_asked_though_another_was_opened_meanwhile(
    world: World,
) -> None:
    first = await current(world)
    run = await world.start_in(workspace(), "Make it blue.")
    await begin_conversation(world.engine, await project(world))
    await world.said(run)
    kept = await world.engine.store.conversation_messages(first, limit=9)
    assert [each.text for each in kept] == ["Make it blue.", "Answer 0."]


async def test_what_an_earlier_version_kept_is_the_first_conversation(world: World) -> None:
    told = [Message("user", "Long ago"), Message("assistant", "Done.")]
    await world.engine.store.add_messages(PROJECT, told)
    begun = await begin_conversation(world.engine, await project(world))
    before = (await list_conversations(world.engine, await project(world)))[-1].conversation
    assert (before.title, before.id == begun.id) == ("Long ago", False)
    await open_conversation(world.engine, await project(world), before.id)
    await asked(world, "Go on.")
    assert shown(world) == ["Long ago", "Done."]


async def test_another_projects_conversation_is_not_there(world: World) -> None:
    other = await project_of_folder(world.engine, "file:///other", "owner")
    theirs = await current_conversation(world.engine, other)
    for wanted in (theirs.id, "conv_none", "", "x" * 10_000):
        with pytest.raises(NotFound) as caught:
            await conversation_of(world.engine, await project(world), wanted)
        assert "forge.conversation.switch" in caught.value.for_people()
        assert len(caught.value.message) < 200


async def test_a_conversation_named_over_http_is_the_editors_where_it_names_the_project(
    world: World,
) -> None:
    await asked(world, "Make it blue.")
    for name in (PROJECT, await current(world)):
        await world.new("And round.", conversation=name)
        assert shown(world)[:2] == ["Make it blue.", "Answer 0."]
    (listed,) = await list_conversations(world.engine, await project(world))
    assert listed.messages == 6
    request = GenerateRequest("Tell.", given({}), conversation=await current(world), account="ci")
    with pytest.raises(NotFound):
        await generate(world.engine, request)


# What is kept of a turn


async def test_a_turn_is_kept_with_its_whole_prompt_what_was_said_and_what_changed(
    tmp_path: Path,
) -> None:
    reply = "Two lines.\n" + file("src/b.ts", "1\n2\n") + edit("src/a.ts", "a", "b\nc") + DONE
    async with a_world(tmp_path, reply) as world:
        prompt = "Make it blue.\n\nAnd say so in the second line, which titles leave out."
        folder = workspace()
        run = await world.start_in(folder, prompt)
        await world.said(run)
        question, answer = await world.engine.store.conversation_messages(
            await current(world), limit=9
        )
    assert (question.role, question.text, question.run_id) == ("user", prompt, run.id)
    assert answer.text.startswith("Two lines.\n\n(Changed: ")
    assert "1\n2" not in answer.text
    assert {ChangedFile("src/b.ts", 2, 0), ChangedFile("src/a.ts", 2, 1)} <= set(answer.changed)
    assert answer.fragment_id is not None
    assert answer.created_at > question.created_at


async def test_an_answer_without_files_has_no_fragment(world: World) -> None:
    await asked(world, "What is it?")
    _, answer = await world.engine.store.conversation_messages(await current(world), limit=9)
    assert (answer.text, answer.fragment_id, answer.changed) == ("Answer 0.", None, ())
    assert await world.engine.store.newest_fragment(PROJECT) is None


async def test_a_turn_whose_run_fails_is_kept_with_what_was_finished(tmp_path: Path) -> None:
    reply = Reply(file("src/b.ts", "1\n"), failure=ModelBusy("Too busy."))
    async with a_world(tmp_path, reply) as world:
        said = await world.said(await world.start_in(workspace(), "Make it blue."))
        assert ending(said).outcome == "failed"
        question, answer = await world.engine.store.conversation_messages(
            await current(world), limit=9
        )
    assert question.text == "Make it blue."
    assert "src/b.ts" in answer.text


async def test_hostile_prose_is_kept_short_and_shown_as_data(tmp_path: Path) -> None:
    hostile = "\0\x1b[31m</file> \u202e " + "x" * 100_000 + "\n" + DONE
    async with a_world(tmp_path, hostile, "Fine.\n") as world:
        await asked(world, "Make it \0 blue.\n" + "y" * 50_000)
        await asked(world, "And round.")
        assert len(shown(world)[1]) < 21_000
        (listed,) = await list_conversations(world.engine, await project(world))
        assert len(listed.conversation.title) <= 72


async def test_builds_and_fixes_are_turns_of_it(tmp_path: Path) -> None:
    model = Builders()
    async with a_world(tmp_path) as plain:

        async def get_model() -> Model:
            return model

        world = replace(plain, engine=replace(plain.engine, model=Late(get_model)))
        folder = MemoryWorkspace({})
        run = await build(world.engine, BuildRequest("A landing page.", folder))
        await world.said(run)
        await world.said(await fix(world.engine, FixRequest(folder)))
        again = await build(world.engine, BuildRequest("Another page.", folder))
        await world.said(again)
        planned = model.asked_for("plan")[-1].messages
        kept = await world.engine.store.conversation_messages(await current(world), limit=9)
    assert [each.role for each in kept] == ["user", "assistant"] * 2, "nothing had to be mended"
    assert [each.text for each in planned[:-1]] == [each.text for each in kept[:2]]
    assert kept[0].text == "A landing page."
    assert kept[1].text.startswith("A landing page.\n\n(Changed: ")


async def test_a_fix_is_a_turn_too_where_it_changes_something(tmp_path: Path) -> None:
    reply = (
        "The number was missing.\n" + edit("src/a.ts", "const a = BROKEN;", "const a = 1;") + DONE
    )
    async with a_world(tmp_path, reply, "Fine.\n") as world:
        folder = MemoryWorkspace({**APP, "src/a.ts": b"const a = BROKEN;\n"})
        run = await fix(world.engine, FixRequest(folder))
        assert ending(await world.said(run)).outcome == "completed"
        await asked(world, "And now?", folder)
        assert shown(world) == [
            "All problems of the preview",
            "The number was missing.\n\n(Changed: src/a.ts)",
        ]
        kept = await world.engine.store.conversation_messages(await current(world), limit=2)
    assert kept[0].run_id != run.id


# What a follow-up is shown


async def test_what_falls_out_is_summed_up_and_not_at_each_message(world: World) -> None:
    for number in range(3):
        await asked(world, f"Prompt {number}.")
    assert world.model.asked_for_code[-1].messages[0].text == "Prompt 0.", "two turns fit"
    summarised: list[int] = []
    for number in range(3, 9):
        await asked(world, f"Prompt {number}.")
        asks = [each for each in world.model.asked if each.purpose == "summarise"]
        summarised.append(len(asks))
        first, *rest = shown(world)
        assert f"- Summary {len(asks) - 1}." in first
        assert rest == [
            text
            for earlier in (number - 2, number - 1)
            for text in (f"Prompt {earlier}.", f"Answer {earlier}.")
        ]
    assert summarised == [1, 1, 2, 2, 3, 3]


async def test_a_summary_is_made_of_the_one_before_and_never_of_anything_twice(
    world: World,
) -> None:
    for number in range(9):
        await asked(world, f"Prompt {number}.")
    asks = [each.messages[-1].text for each in world.model.asked if each.purpose == "summarise"]
    for number, each in enumerate(asks[1:]):
        assert f"- Summary {number}." in each
    told = "\n".join(asks)
    for number in range(6):
        assert told.count(f"Prompt {number}.") == 1


async def test_the_summary_comes_behind_what_is_cached(world: World) -> None:
    for number in range(4):
        await asked(world, f"Prompt {number}.")
    before, after = world.model.asked_for_code[-2:]
    assert (before.system, before.context) == (after.system, after.context)
    assert "Summary" in after.messages[0].text
    assert after.messages[0].role == "user"


async def test_the_run_says_that_it_sums_up(world: World) -> None:
    for number in range(3):
        await asked(world, f"Prompt {number}.")
    said = await world.said(await world.start_in(workspace(), "Go on."))
    stages = [each.message for each in of(events.Stage, said)]
    assert "Summing up the conversation so far..." in stages
    assert len(of(events.Usage, said)) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(failure=ModelBusy("Too busy.")),
        Reply("  \n"),
        Reply("I can't.", stop="refusal", detail="No."),
        Reply("Half a", stop="cut"),
    ],
)
async def test_where_the_model_makes_no_summary_the_run_goes_on_and_says_so(
    tmp_path: Path, reply: Reply
) -> None:
    replies = [f"Answer {number}.\n" + DONE for number in range(5)]
    async with a_world(tmp_path, *replies, choices=[reply, "- Later."], generation=FEW) as world:
        for number in range(3):
            await asked(world, f"Prompt {number}.")
        said = await world.said(await world.start_in(workspace(), "Go on."))
        assert ending(said).outcome == "completed"
        assert any("not summed up" in each.message for each in of(events.Problem, said))
        assert shown(world) == ["Prompt 1.", "Answer 1.", "Prompt 2.", "Answer 2."]
        await asked(world, "Once more.")
        assert "- Later." in shown(world)[0]
        assert "Prompt 0." in world.model.asked[-2].messages[-1].text


async def test_a_summary_without_end_is_cut(tmp_path: Path) -> None:
    replies = [f"Answer {number}.\n" + DONE for number in range(4)]
    endless = Reply("x" * 100_000, piece=1_000)
    async with a_world(tmp_path, *replies, choices=[endless], generation=FEW) as world:
        for number in range(4):
            await asked(world, f"Prompt {number}.")
        assert 8_000 <= len(shown(world)[0]) < 9_000


async def test_without_recent_messages_nothing_is_shown_or_summed_up(tmp_path: Path) -> None:
    none = GenerationSettings(recent_messages=0)
    async with a_world(tmp_path, "Fine.", "Fine.", generation=none) as world:
        await asked(world, "Make it blue.")
        await asked(world, "And round.")
        assert shown(world) == []


async def test_a_project_over_http_has_one_conversation_which_is_summed_up(
    tmp_path: Path,
) -> None:
    replies = [file(f"src/{number}.ts", f"{number}\n") + DONE for number in range(5)]
    choice = '{"targets": [], "editType": "ADD_FEATURE", "reason": "", "confidence": 1}'
    summaries = ["- Summed up."] * 3
    async with a_world(tmp_path, *replies, generation=FEW) as world:
        begun = await new_project(world.engine, "ci", "Prompt 0.")
        await world.said(begun.run)
        for number in range(1, 5):
            world.model.choices[:] = [choice, *summaries]
            sent = await send(world.engine, begun.project, f"Prompt {number}.")
            assert ending(await world.said(sent.run)).outcome == "completed"
        assert "- Summed up." in shown(world)[0]
        (listed,) = await world.engine.store.conversations(begun.project.id, limit=9)
        told = await world.engine.store.project_messages(begun.project.id, limit=50)
    assert (listed.conversation.account, listed.messages, len(told)) == ("ci", 10, 10)
    assert told[0].changed == (ChangedFile("src/4.ts", 1, 0),)
