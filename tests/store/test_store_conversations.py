"""Conversations of projects: which is the current one, what is taken over, what is summed up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.conversations import ConversationRecord
from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ChangedFile, ProjectMessage, ProjectRecord
from forge_lsp.ports.store import RunRecord, Store

OpenStore = Callable[[], Awaitable[Store]]
Execute = Callable[[str], Awaitable[list[Any]]]

FOLDER = "file:///app"
PROJECT = ProjectRecord(FOLDER, "owner", "app", 10, 10, folder=FOLDER)
FIRST = ConversationRecord("conv_1", FOLDER, "owner", 20, 20)
A, B, C = (ProjectPath.parse(path) for path in ("a.ts", "b.ts", "c.ts"))


@pytest.fixture
async def project(store: Store) -> ProjectRecord:
    await store.save_project(PROJECT)
    return PROJECT


async def opened_last(store: Store) -> str:
    return (await store.current_conversation(replace(FIRST, id="conv_unused"))).id


async def test_the_first_is_begun_where_there_is_none(store: Store, project: ProjectRecord):
    assert await store.current_conversation(FIRST) == FIRST
    assert await store.current_conversation(replace(FIRST, id="conv_2")) == FIRST
    assert await store.conversation("conv_1") == FIRST
    assert await store.conversation("conv_2") is None


async def test_the_current_one_is_the_one_opened_last(store: Store, project: ProjectRecord):
    await store.current_conversation(FIRST)
    second = await store.begin_conversation(replace(FIRST, id="conv_2"))
    assert (second.created_at, second.opened_at) == (21, 21), "later than all others"
    assert await opened_last(store) == "conv_2"
    await store.open_conversation("conv_1", 5)
    assert await opened_last(store) == "conv_1"
    await store.open_conversation("conv_none", 99)
    assert await opened_last(store) == "conv_1"
    listed = await store.conversations(FOLDER, limit=9)
    assert [each.conversation.id for each in listed] == ["conv_2", "conv_1"]
    assert [each.conversation.id for each in await store.conversations(FOLDER, limit=1)] == [
        "conv_2"
    ]
    assert await store.conversations("file:///other", limit=9) == []


async def test_a_title_is_given_once(store: Store, project: ProjectRecord):
    await store.current_conversation(FIRST)
    for title in ("A page", "Another"):
        await store.name_conversation("conv_1", title)
    await store.name_conversation("conv_none", "No matter")
    found = await store.conversation("conv_1")
    assert found is not None
    assert found.title == "A page"


async def test_messages_are_seen_in_their_conversation(store: Store, project: ProjectRecord):
    await store.current_conversation(FIRST)
    changed = (ChangedFile("a.ts", 3, 1), ChangedFile("b.ts", 0, 9))
    said = [
        ProjectMessage("msg_1", FOLDER, "user", "A page", 30, run_id="run_1"),
        ProjectMessage("msg_2", FOLDER, "assistant", "Done", 31, changed=changed),
    ]
    said = [replace(each, conversation="conv_1") for each in said]
    for each in said:
        await store.add_project_message(each)
    other = ProjectMessage("msg_3", FOLDER, "user", "Elsewhere", 32, conversation="conv_2")
    await store.add_project_message(other)
    assert await store.conversation_messages("conv_1", limit=9) == said
    assert await store.conversation_messages("conv_1", limit=1) == said[1:]
    assert await store.project_messages(FOLDER, limit=9) == [other, *reversed(said)]
    (listed,) = await store.conversations(FOLDER, limit=9)
    assert listed.messages == 2


async def test_what_only_the_model_was_shown_is_taken_over(store: Store, project: ProjectRecord):
    told = [Message("user", "A page"), Message("assistant", "Here it is.")]
    await store.add_messages(FOLDER, told)
    await store.add_messages("elsewhere", told)
    await store.current_conversation(FIRST)
    assert await store.messages("conv_1", limit=9) == told
    assert await store.messages(FOLDER, limit=9) == []
    assert await store.messages("elsewhere", limit=9) == told
    seen = await store.conversation_messages("conv_1", limit=9)
    assert [(each.role, each.text) for each in seen] == [
        ("user", "A page"),
        ("assistant", "Here it is."),
    ]


async def test_what_only_people_saw_is_taken_over(store: Store, project: ProjectRecord):
    for number, role in enumerate(("user", "assistant")):
        message = ProjectMessage(f"msg_{9 - number}", FOLDER, role, f"{number}", 10 + number)  # type: ignore[arg-type]
        await store.add_project_message(message)
    await store.current_conversation(FIRST)
    assert [each.id for each in await store.conversation_messages("conv_1", limit=9)] == [
        "msg_9",
        "msg_8",
    ]
    assert [each.text for each in await store.messages("conv_1", limit=9)] == ["0", "1"]


async def test_what_was_kept_both_ways_is_taken_over_once(store: Store, project: ProjectRecord):
    await store.add_messages(FOLDER, [Message("user", "A long prompt"), Message("assistant", "x")])
    await store.add_project_message(ProjectMessage("msg_1", FOLDER, "user", "A long", 10))
    await store.current_conversation(FIRST)
    await store.begin_conversation(replace(FIRST, id="conv_2"))
    assert [each.text for each in await store.messages("conv_1", limit=9)] == ["A long prompt", "x"]
    assert [each.text for each in await store.conversation_messages("conv_1", limit=9)] == [
        "A long"
    ]
    assert await store.messages("conv_2", limit=9) == []


async def test_of_many_who_begin_at_once_in_two_processes_one_does(
    store: Store, project: ProjectRecord, open_another: OpenStore
):
    stores = (store, await open_another())
    await store.add_messages(FOLDER, [Message("user", "Before")])
    found = await asyncio.gather(
        *(
            stores[number % 2].current_conversation(replace(FIRST, id=f"conv_{number}"))
            for number in range(20)
        )
    )
    (current,) = {each.id for each in found}
    assert len(await store.conversations(FOLDER, limit=50)) == 1
    assert [each.text for each in await store.messages(current, limit=9)] == ["Before"]
    begun = await asyncio.gather(
        *(
            stores[number % 2].begin_conversation(replace(FIRST, id=f"conv_new{number}"))
            for number in range(20)
        )
    )
    assert len({each.opened_at for each in begun}) == 20


async def test_messages_past_a_number_and_the_summary_of_those_before(
    store: Store, project: ProjectRecord
):
    await store.current_conversation(FIRST)
    await store.add_messages("conv_1", [Message("user", str(number)) for number in range(6)])
    await store.add_messages("conv_2", [Message("user", "other")])
    told = await store.numbered_messages("conv_1", after=0, limit=9)
    assert [each.message.text for each in told] == ["0", "1", "2", "3", "4", "5"]
    rest = await store.numbered_messages("conv_1", after=told[2].number, limit=2)
    assert [each.message.text for each in rest] == ["4", "5"]
    assert await store.numbered_messages("conv_1", after=told[-1].number, limit=9) == []

    await store.save_summary("conv_1", "Four were said.", told[3].number)
    await store.save_summary("conv_1", "Two were said.", told[1].number)
    found = await store.conversation("conv_1")
    assert found is not None
    assert (found.summary, found.summarised_upto) == ("Four were said.", told[3].number)


async def test_hostile_texts_are_kept(store: Store, project: ProjectRecord):
    await store.current_conversation(FIRST)
    hostile = "'; DROP TABLE conversations; -- %s :x \u202e\x01 " + "x" * 100_000
    await store.name_conversation("conv_1", hostile)
    await store.save_summary("conv_1", hostile, 1)
    await store.name_conversation("conv_1", "a\0b")
    message = ProjectMessage("msg_1", FOLDER, "user", "a\0b", 30, conversation="conv_1")
    await store.add_project_message(message)
    found = await store.conversation("conv_1")
    assert found is not None
    assert (found.title, found.summary) == (hostile, hostile)
    (seen,) = await store.conversation_messages("conv_1", limit=9)
    assert seen.text.replace("\ufffd", "\0") == "a\0b"


# What runs left


def run(number: int, kind: str, at: int) -> RunRecord:
    return RunRecord(f"run_{number}", kind, "", FOLDER, "process 1", at)


async def accepted(store: Store, record: RunRecord, *changes: FileChange) -> None:
    await store.create_run(record)
    files = tuple(each.accepted(each.before, each.after) for each in changes)
    await store.save_change_set(ChangeSet(record.id, FOLDER, "", record.started_at, files))


async def test_each_file_is_as_the_last_run_left_it_whose_change_was_accepted(store: Store):
    await accepted(
        store, run(1, "generate", 10), FileChange(A, None, b"a1"), FileChange(B, None, b"b1")
    )
    await accepted(
        store, run(2, "edit", 20), FileChange(A, b"a1", b"a2"), FileChange(C, b"c0", None)
    )
    await accepted(store, run(3, "fragment", 30), FileChange(B, b"b1", b"by hand"))
    await store.create_run(run(4, "edit", 40))
    waiting = (FileChange(A, b"a2", b"a4"),)
    await store.save_change_set(ChangeSet("run_4", FOLDER, "", 40, waiting))
    kinds = ("generate", "edit")
    assert await store.left_files(FOLDER, kinds) == {A: b"a2", B: b"b1", C: None}
    assert await store.left_files("file:///other", kinds) == {}
    found = await store.change_set("run_2")
    assert found is not None
    undone = tuple(each.undone() for each in found.files)
    await store.save_change_set(replace(found, files=undone))
    assert await store.left_files(FOLDER, kinds) == {A: b"a1", B: b"b1"}
