from pathlib import Path

import pytest
from action_world import DONE, PROJECT, a_world, edit, ending, file, given, of
from memory_sandbox import MemorySandbox
from memory_workspace import MemoryWorkspace
from scripted import Reply

from forge_lsp import events
from forge_lsp.actions.generate import generate
from forge_lsp.actions.request import GenerateRequest, Selection
from forge_lsp.actions.sources import SandboxFiles
from forge_lsp.app import open_engine
from forge_lsp.errors import InvalidRequest, ModelBusy, ModelKeyRejected
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, Retrying
from forge_lsp.settings import GenerationSettings, ModelSettings, Places, RunSettings, Settings

APP = b"function App() {\n  return <h1>Hello</h1>;\n}\nexport default App;\n"
HELLO = "  return <h1>Hello</h1>;"
BYE = "  return <h1>Bye</h1>;"


async def test_new_code_comes_as_whole_files_with_their_packages(tmp_path: Path) -> None:
    code = 'import { create } from "zustand";\nexport const x = create;\n'
    reply = f'Here it is.\n{file("src/store.ts", code)}<package name="dayjs"/>\n{DONE}'
    async with a_world(tmp_path, reply) as world:
        said = await world.new()
    assert said[0] == events.RunStarted("generate", "Make a page.")
    assert said[1] == events.Stage(
        "Analyzing request... (demo model: its answers are prepared; "
        "set ANTHROPIC_API_KEY for Claude's own)"
    )
    assert of(events.FileStarted, said) == [events.FileStarted("src/store.ts", "create")]
    assert "".join(each.text for each in of(events.FileDelta, said)) == code
    assert of(events.FileFinished, said) == [events.FileFinished("src/store.ts", code)]
    assert "".join(each.text for each in of(events.TextDelta, said)) == reply
    assert of(events.PackageNeeded, said) == [
        events.PackageNeeded("zustand"),
        events.PackageNeeded("dayjs"),
    ]
    assert of(events.Usage, said) == [events.Usage("scripted-1", 10, 5)]
    assert ending(said) == events.RunFinished("completed")


async def test_the_demo_model_makes_a_whole_app(tmp_path: Path) -> None:
    settings = Settings(
        model=ModelSettings(provider="demo", demo_pace_s=0), runs=RunSettings(coalesce_s=0)
    )
    engine = await open_engine(settings, Places.find(tmp_path))
    try:
        run = await generate(engine, GenerateRequest("A counter", given({})))
        said = [each.event async for each in engine.runs.subscribe(run.id)]
    finally:
        await engine.close()
    assert ending(said).outcome == "completed"
    assert of(events.FileFinished, said)
    assert not of(events.Problem, said)
    assert not of(events.FileDropped, said)


@pytest.mark.parametrize("prompt", ["", "  \n\t "])
async def test_a_prompt_is_required(prompt: str, tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        with pytest.raises(InvalidRequest, match="Prompt is required"):
            await world.new(prompt)
        assert await world.engine.runs.recent(limit=1) == []


async def test_a_prompt_that_is_too_long_is_refused_with_its_size(tmp_path: Path) -> None:
    limits = GenerationSettings(max_prompt_bytes=1_000)
    async with a_world(tmp_path, generation=limits) as world:
        with pytest.raises(InvalidRequest, match="1,002 bytes"):
            await world.new("ä" * 501)


async def test_an_edit_of_given_files_changes_only_what_was_asked(tmp_path: Path) -> None:
    async with a_world(tmp_path, edit("src/App.tsx", HELLO, BYE) + DONE) as world:
        said = await world.edit({"src/App.tsx": APP, "src/other.ts": b"1\n"})
        asked = world.model.asked
    (finished,) = of(events.FileFinished, said)
    assert finished.content == APP.decode().replace("Hello", "Bye")
    assert [(hunk.before_start, hunk.before_count) for hunk in finished.hunks] == [(1, 1)]
    assert [request.purpose for request in asked] == ["code"], "given files need no choosing"
    assert "<h1>Hello</h1>" in asked[0].context
    assert "src/other.ts" in asked[0].context
    assert said[0] == events.RunStarted("edit", "Change it.")


async def edit_in_a_sandbox(home: Path, choice: Reply | str) -> tuple[list[events.Event], str]:
    """What an edit says, and what the model was shown, given the small model's choice."""
    sandbox = MemorySandbox(1)
    sandbox.contents["src/Button.tsx"] = b"export const Button = 1;\n"
    reply = file("src/round.ts", "export const round = true;\n") + DONE
    async with a_world(home, reply, choices=[choice]) as world:
        request = GenerateRequest("Make the button round", SandboxFiles(sandbox), is_edit=True)
        said = await world.said(await generate(world.engine, request))
        return said, world.model.asked_for_code[0].context


async def test_an_edit_in_a_sandbox_shows_the_files_that_the_small_model_chose(
    tmp_path: Path,
) -> None:
    choice = (
        '{"targets": ["src/Button.tsx", "../../secret"], "editType": "UPDATE_STYLE",'
        ' "reason": "It is the button.", "confidence": 0.9}'
    )
    said, context = await edit_in_a_sandbox(tmp_path, choice)
    (selected,) = of(events.ContextSelected, said)
    assert selected == events.ContextSelected(
        ("src/Button.tsx",), "UPDATE_STYLE", "It is the button."
    )
    assert "Button = 1" in context
    assert "function App" not in context
    assert ending(said).outcome == "completed"
    assert len(of(events.Usage, said)) == 2


@pytest.mark.parametrize(
    "choice",
    [
        "I would look at the button, I think.",
        "",
        '{"targets": ["src/Nowhere.tsx"]}',
        '{"targets": "src/Button.tsx"}',
        "{" * 5_000,
        Reply(failure=ModelBusy("The model is busy.")),
        Reply('{"targets": ["src/But', stop="cut"),
    ],
)
async def test_where_the_small_model_is_of_no_use_the_apps_own_file_is_shown(
    choice: Reply | str, tmp_path: Path
) -> None:
    said, context = await edit_in_a_sandbox(tmp_path, choice)
    (selected,) = of(events.ContextSelected, said)
    assert "src/App.tsx" in selected.paths
    assert "function App" in context
    assert ending(said).outcome == "completed"
    failed = isinstance(choice, Reply) and choice.failure is not None
    assert [each.code for each in of(events.Problem, said)] == ["model_busy"] * failed


async def test_what_the_request_is_about_is_shown_whatever_the_small_model_chose(
    tmp_path: Path,
) -> None:
    sandbox = MemorySandbox(1)
    sandbox.contents["src/Button.tsx"] = b"export const Button = 1;\n"
    path = ProjectPath.parse("src/Button.tsx")
    choices = ['{"targets": ["index.html"]}']
    async with a_world(tmp_path, "Nothing to do.", choices=choices) as world:
        request = GenerateRequest(
            "Rename it",
            SandboxFiles(sandbox),
            is_edit=True,
            first=[path],
            selection=Selection(path, "Button = 1"),
        )
        await world.said(await generate(world.engine, request))
        asked = world.model.asked_for_code[0]
    assert "export const Button = 1" in asked.context
    assert "Button = 1" in asked.messages[-1].text


async def test_a_file_that_was_shown_in_part_is_not_rewritten_whole(tmp_path: Path) -> None:
    large = b"".join(b"export function f%d() {\n  return %d;\n}\n" % (n, n) for n in range(2_000))
    limits = GenerationSettings(context_tokens=1_000)
    reply = file("src/large.ts", "export const all = 1;\n") + DONE
    async with a_world(tmp_path, reply, generation=limits) as world:
        said = await world.edit({"src/large.ts": large})
    assert not of(events.FileFinished, said)
    (dropped,) = of(events.FileDropped, said)
    assert (dropped.path, "only a part" in dropped.reason) == ("src/large.ts", True)


async def test_a_file_that_was_shown_in_part_can_be_edited(tmp_path: Path) -> None:
    large = b"".join(b"export function f%d() {\n  return %d;\n}\n" % (n, n) for n in range(2_000))
    limits = GenerationSettings(context_tokens=1_000)
    reply = edit("src/large.ts", "  return 3;", "  return 33;") + DONE
    async with a_world(tmp_path, reply, generation=limits) as world:
        said = await world.edit({"src/large.ts": large})
    (finished,) = of(events.FileFinished, said)
    assert finished.content == large.decode().replace("return 3;", "return 33;", 1)


async def test_a_model_that_cant_edit_is_asked_for_whole_files(tmp_path: Path) -> None:
    async with a_world(tmp_path, "Fine.", whole_files=True) as world:
        await world.edit({"a.ts": b"1\n"})
        assert "SEARCH" not in world.model.asked[0].system


# Endings


async def test_a_refusal_is_an_outcome_with_its_reason(tmp_path: Path) -> None:
    async with a_world(tmp_path, Reply("I", stop="refusal", detail="Not this.")) as world:
        said = await world.new()
    assert ending(said) == events.RunFinished("refused", "refused", "Not this.")


@pytest.mark.parametrize("text", ["", "  \n\n", DONE])
async def test_an_empty_reply_is_a_failure(text: str, tmp_path: Path) -> None:
    async with a_world(tmp_path, text) as world:
        last = ending(await world.new())
    assert (last.outcome, last.code) == ("failed", "empty_reply")


async def test_a_reply_of_prose_alone_is_an_answer(tmp_path: Path) -> None:
    async with a_world(tmp_path, "It is fine as it is.\n") as world:
        said = await world.new()
    assert ending(said) == events.RunFinished("completed")
    assert not of(events.FileFinished, said)


async def test_a_model_that_fails_fails_the_run_with_what_to_do(tmp_path: Path) -> None:
    async with a_world(tmp_path, Reply(failure=ModelKeyRejected("The key is wrong."))) as world:
        last = ending(await world.new())
    assert (last.outcome, last.code) == ("failed", "model_key_rejected")
    assert "ANTHROPIC_API_KEY" in last.message


async def test_a_model_that_fails_in_mid_file_leaves_nothing_half_written(tmp_path: Path) -> None:
    half = file("a.ts", "whole\n") + '<file path="b.ts">\nhalf\n'
    async with a_world(tmp_path, Reply(half, failure=ModelBusy("It broke."))) as world:
        said = await world.new()
    assert [each.path for each in of(events.FileFinished, said)] == ["a.ts"]
    assert [each.path for each in of(events.FileDropped, said)] == ["b.ts"]
    assert ending(said).code == "model_busy"


async def test_a_retry_is_told_as_a_stage(tmp_path: Path) -> None:
    retrying = Retrying(1, 5, 2.0, "The model is busy.")
    async with a_world(tmp_path, Reply("Fine.", first=[retrying])) as world:
        said = await world.new()
    told = events.Stage("The model is busy. Trying again in 2 s...", 1, 5)
    assert told in said


async def test_a_reply_without_end_is_not_read_on(tmp_path: Path) -> None:
    limit = 100_000
    reply = Reply(file("a.ts", "x\n" * 50) + "y\n" * 5_000_000, piece=1_000)
    limits = GenerationSettings(max_reply_characters=limit)
    async with a_world(tmp_path, reply, generation=limits) as world:
        said = await world.new()
        assert len(world.model.asked) == 1, "what is too long is not continued"
        assert world.model.ended == 1, "the request is ended, not left open"
    read = sum(len(each.text) for each in of(events.TextDelta, said))
    assert limit < read <= limit + 1_000
    assert [each.code for each in of(events.Problem, said)] == ["reply_too_long"]
    assert [each.path for each in of(events.FileFinished, said)] == ["a.ts"]
    assert ending(said).outcome == "truncated"


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside.ts",
        "src/../../outside.ts",
        ".env",
        ".git/hooks/pre-commit",
        "node_modules/react/index.js",
        ".vscode/tasks.json",
        ".npmrc",
        "C:\\x.ts",
        "a\x00b",
    ],
)
async def test_a_wrong_path_costs_that_file_alone(path: str, tmp_path: Path) -> None:
    reply = file(path, "evil\n") + file("src/good.ts", "good\n") + DONE
    async with a_world(tmp_path, reply) as world:
        said = await world.new()
    assert [each.path for each in of(events.FileFinished, said)] == ["src/good.ts"]
    (dropped,) = of(events.FileDropped, said)
    assert dropped.path == path
    assert "refused" in dropped.reason
    assert ending(said).outcome == "completed"


# Bytes


async def test_an_edit_keeps_line_ends_and_the_byte_order_mark(tmp_path: Path) -> None:
    before = b"\xef\xbb\xbf" + APP.replace(b"\n", b"\r\n")
    workspace = MemoryWorkspace({"package.json": b"{}\n", "src/App.tsx": before})
    reply = edit("src/App.tsx", HELLO, BYE) + DONE
    async with a_world(tmp_path, reply, choices=['{"targets": ["src/App.tsx"]}']) as world:
        said = await world.work_in(workspace, is_edit=True)
        (change_set,) = world.engine.reviews.pending(PROJECT)
    assert change_set.files[0].after == before.replace(b"Hello", b"Bye")
    assert len(of(events.FileFinished, said)[0].hunks) == 1


@pytest.mark.parametrize(
    "reply",
    [
        file("data.bin", "text\n"),
        edit("data.bin", "a", "b"),
        '<rename from="data.bin" to="other.bin"/>\n',
    ],
    ids=["whole", "edit", "rename"],
)
async def test_a_file_that_is_no_text_is_left_alone(reply: str, tmp_path: Path) -> None:
    async with a_world(tmp_path, reply + DONE) as world:
        said = await world.edit({"data.bin": b"\xff\xfe\x00binary"})
    assert not of(events.FileFinished, said)
    assert len(of(events.FileDropped, said)) == 1


async def test_a_rename_is_a_new_file_and_a_deletion(tmp_path: Path) -> None:
    async with a_world(tmp_path, '<rename from="a.ts" to="b.ts"/>\n' + DONE) as world:
        said = await world.edit({"a.ts": b"1\n"})
    assert {each.path: each.content for each in of(events.FileFinished, said)} == {
        "b.ts": "1\n",
        "a.ts": None,
    }


async def test_a_rename_to_the_same_place_loses_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, '<rename from="a.ts" to="./a.ts"/>\n' + DONE) as world:
        said = await world.edit({"a.ts": b"1\n"})
    assert not of(events.FileFinished, said)


async def test_what_was_deleted_in_a_reply_may_be_written_anew(tmp_path: Path) -> None:
    reply = '<delete path="a.ts"/>\n' + file("a.ts", "2\n") + DONE
    async with a_world(tmp_path, reply) as world:
        said = await world.edit({"a.ts": b"\xff"})
    assert [each.content for each in of(events.FileFinished, said)] == [None, "2\n"]


async def test_a_file_that_is_as_asked_already_is_no_change(tmp_path: Path) -> None:
    async with a_world(tmp_path, file("a.ts", "1\n") + DONE) as world:
        said = await world.edit({"a.ts": b"1\n"})
    assert [each.reason for each in of(events.FileDropped, said)] == ["it is already as asked"]


# Conversations


async def test_a_conversation_is_stored_and_goes_on(tmp_path: Path) -> None:
    first = "A blue one.\n" + file("a.ts", "blue\n") + DONE
    async with a_world(tmp_path, first, "As you say.\n") as world:
        await world.new("Make it blue.", conversation="c1")
        await world.new("And round.", conversation="c1")
        asked = world.model.asked[1].messages
        stored = await world.engine.store.messages("c1", limit=10)
    assert [message.role for message in asked] == ["user", "assistant", "user"]
    assert asked[0] == Message("user", "Make it blue.")
    assert asked[1] == Message("assistant", "A blue one.\n\n(Changed: a.ts)")
    assert asked[2].text.startswith("And round.")
    assert [message.text for message in stored][2:] == ["And round.", "As you say."]


async def test_turns_that_came_along_go_before_the_stored_ones(tmp_path: Path) -> None:
    limits = GenerationSettings(recent_messages=2)
    came = [Message("user", f"{number}") for number in range(5)]
    async with a_world(tmp_path, "Fine.", "Fine.", generation=limits) as world:
        await world.new("Go on.", recent=came, conversation="c1")
        await world.new("Go on.")
        first, second = world.model.asked
    assert [message.text for message in first.messages][:-1] == ["3", "4"]
    assert len(second.messages) == 1


async def test_an_edit_of_given_files_needs_no_sandbox(tmp_path: Path) -> None:
    async with a_world(tmp_path, file("a.ts", "2\n") + DONE) as world:
        await world.edit({"a.ts": b"1\n"})
        assert world.provider.made == []
        assert world.pending == {}


async def test_a_whole_file_over_one_that_was_not_shown_is_asked_for_again(tmp_path: Path) -> None:
    sandbox = MemorySandbox(1)
    sandbox.contents["src/Button.tsx"] = b"export const Button = 1;\n"
    blind = file("src/Button.tsx", "export const Button = 2;\n") + DONE
    seen = file("src/Button.tsx", "export const Button = 3;\n") + DONE
    choice = '{"targets": ["src/App.tsx"], "editType": "REFACTOR", "reason": "", "confidence": 1}'
    async with a_world(tmp_path, blind, seen, choices=[choice]) as world:
        request = GenerateRequest("Make it round", SandboxFiles(sandbox), is_edit=True)
        said = await world.said(await generate(world.engine, request))
        again = world.model.asked_for_code[1].messages[-1].text
    assert "export const Button = 1;" in again
    assert [each.content for each in of(events.FileFinished, said)] == [
        "export const Button = 3;\n"
    ]
