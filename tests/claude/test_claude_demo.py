"""The demo model: which answer a prompt gets, and that its answers are what a model would send."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, get_args

import httpx2
import pytest
from claude_asking import end_of, events_of, request, text_of, the_demo

from forge_lsp.claude.demo.catalogue import App, Edit, applied, apps
from forge_lsp.claude.demo.transport import DemoTransport, uneven
from forge_lsp.events import EditType
from forge_lsp.generation.context import ContextFile
from forge_lsp.generation.edits import BlockFailure, apply_blocks
from forge_lsp.generation.parser import ReplyParser
from forge_lsp.generation.problems import fix_prompt
from forge_lsp.generation.prompts import (
    project_context,
    repair_prompt,
    request_text,
    system_prompt,
    whole_file_prompt,
)
from forge_lsp.generation.reply import (
    BodyPiece,
    BodyStarted,
    EditBlocks,
    PackageTag,
    Prose,
    ReplyEnded,
    ReplyEvent,
    SearchReplace,
    WholeFile,
)
from forge_lsp.generation.selection import SELECTION_SCHEMA, parse_selection, selection_prompt
from forge_lsp.loading import load
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, ModelEvent, ModelRequest, TextPiece
from forge_lsp.ports.sandbox import SandboxDiagnostic

COUNTER, TODO, DASHBOARD, LANDING = apps()
EDITS = [pytest.param(app, edit, id=edit.words[0]) for app in apps() for edit in app.edits]


def project(files: Mapping[str, str] | App) -> str:
    """A prompt's context that shows all of `files`."""
    contents = files.files if isinstance(files, App) else files
    shown = [ContextFile(ProjectPath.parse(path), text, False) for path, text in contents.items()]
    return project_context(shown, [*contents, "index.html", "package.json"])


async def asked_of_demo(asked: ModelRequest) -> Sequence[ModelEvent]:
    async with the_demo() as model:
        return await events_of(model, asked)


async def parsed(asked: ModelRequest) -> list[ReplyEvent]:
    """The demo's reply, without the text as it passes by."""
    parser = ReplyParser()
    events = parser.feed(text_of(await asked_of_demo(asked))) + parser.finish()
    assert events[-1] == ReplyEnded() or isinstance(events[-1], Prose)
    assert ReplyEnded() in events
    return [event for event in events if not isinstance(event, BodyStarted | BodyPiece)]


def files_in(events: Sequence[ReplyEvent]) -> dict[str, str]:
    return {event.path: event.content for event in events if isinstance(event, WholeFile)}


def edited(files: dict[str, str], events: Sequence[ReplyEvent]) -> dict[str, str]:
    """`files` with the edits and files of a reply, all of which must fit."""
    result = dict(files) | files_in(events)
    for event in events:
        if isinstance(event, EditBlocks):
            made = apply_blocks(result[event.path], event.blocks)
            assert made.content is not None, made.failures
            result[event.path] = made.content
    return result


async def test_it_says_that_it_is_canned():
    async with the_demo() as model:
        assert model.info.is_canned
        assert model.info.provider == "demo"
        for prompt in ("Create a counter", "What is the weather like?"):
            assert text_of(await events_of(model, request(prompt))).startswith("This is the demo")


async def test_a_counter_is_the_counter_its_page_and_react():
    prompt = "Create a React counter component with increment and decrement buttons"
    events = await parsed(request(prompt))
    assert list(files_in(events)) == ["src/Counter.tsx", "src/App.tsx"]
    assert [event.name for event in events if isinstance(event, PackageTag)] == ["react"]
    counter = files_in(events)["src/Counter.tsx"]
    for part in ("          Increment\n", "          Decrement\n", 'role="status"'):
        assert part in counter
    assert 'data-testid="count"' in counter


@pytest.mark.parametrize(
    ("prompt", "app"),
    [
        ("Build me a todo app", TODO),
        ("a To-Do list with categories", TODO),
        ("Landing page + pricing + footer", LANDING),
        ("Create a landing page with a pricing section", LANDING),
        ("Make an analytics dashboard", DASHBOARD),
        ("COUNTER", COUNTER),
    ],
)
async def test_words_of_the_prompt_choose_the_app(prompt: str, app: App):
    events = await parsed(request(prompt))
    assert files_in(events) == app.files
    assert [event.name for event in events if isinstance(event, PackageTag)] == app.packages


@pytest.mark.parametrize(("app", "edit"), EDITS)
async def test_an_edit_fits_the_app_that_is_in_the_context(app: App, edit: Edit):
    events = await parsed(request(f"Add a {edit.words[0]}, please", context=project(app)))
    assert edited(dict(app.files), events) == applied(app.files, [edit])
    assert set(files_in(events)) == set(edit.new_files)


@pytest.mark.parametrize("app", apps(), ids=lambda app: app.title)
async def test_edits_fit_one_after_another_in_any_order(app: App):
    for edits in (app.edits, app.edits[::-1]):
        files = dict(app.files)
        for edit in edits:
            asked = request(f"Add a {edit.words[0]}, please", context=project(files))
            files = edited(files, await parsed(asked))
        assert files == applied(app.files, edits)


async def test_several_edits_come_in_one_reply():
    asked = request("Add a reset button and a step size, in dark", context=project(COUNTER))
    events = await parsed(asked)
    assert len([event for event in events if isinstance(event, EditBlocks)]) == 1
    assert edited(dict(COUNTER.files), events) == applied(COUNTER.files, COUNTER.edits)


@pytest.mark.parametrize(
    ("word", "colour"), [("green", "emerald"), ("red", "rose"), ("pastel", "emerald")]
)
async def test_the_accent_takes_the_colour_that_is_named(word: str, colour: str):
    asked = request(f"Make the accent colour {word}", context=project(LANDING))
    theme = edited(dict(LANDING.files), await parsed(asked))["src/theme.ts"]
    assert f"bg-{colour}-700" in theme
    assert "indigo" not in theme


async def test_an_app_may_be_asked_for_with_its_edits():
    files = files_in(await parsed(request("Create a to-do list with a filter")))
    assert files == applied(TODO.files, [TODO.edits[0]])


@pytest.mark.parametrize("below", ["export default function Counter() {", "      </div>", ""])
async def test_a_comment_that_asks_does_not_hide_the_code(below: str):
    text = COUNTER.files["src/Counter.tsx"]
    commented = text.replace(f"{below}\n", f"{below}\n// forge: add a reset button\n", 1)
    files = {"src/Counter.tsx": commented}
    events = await parsed(request("add a reset button", context=project(files)))
    assert "Reset" in edited(files, events)["src/Counter.tsx"]


@pytest.mark.parametrize("path", ["Counter.tsx", "packages/web/src/Counter.tsx", "app/Zähler.tsx"])
async def test_code_is_found_under_any_path(path: str):
    files = {path: COUNTER.files["src/Counter.tsx"]}
    events = await parsed(request("add a reset button", context=project(files)))
    assert "Reset" in edited(files, events)[path]


async def test_new_files_of_an_edit_go_beside_the_app():
    files = {f"web/{path}": text for path, text in TODO.files.items()}
    events = await parsed(request("add a filter", context=project(files)))
    assert list(files_in(events)) == ["web/src/components/TodoFilter.tsx"]


async def test_code_with_crlf_is_found():
    context = project(COUNTER).replace("\n", "\r\n")
    events = await parsed(request("add a reset button", context=context))
    assert any(isinstance(event, EditBlocks) for event in events)


async def test_an_edit_that_is_there_already_is_not_made_again():
    files = applied(COUNTER.files, [COUNTER.edits[0]])
    events = await parsed(request("add a reset button", context=project(files)))
    assert not edited({}, events)


async def test_where_edits_were_not_taught_it_writes_whole_files():
    dark = COUNTER.edits[2]
    files = applied(COUNTER.files, [dark])
    files["src/Counter.tsx"] = files["src/Counter.tsx"].replace("One number", "A number")
    asked = request(
        "add a reset button",
        system=system_prompt(whole_files=True, has_template=True),
        context=project(files),
    )
    events = await parsed(asked)
    expected = applied(files, [COUNTER.edits[0]])
    assert files_in(events) == {"src/Counter.tsx": expected["src/Counter.tsx"]}


async def test_a_sketch_of_the_counter_is_filled_in():
    sketch = {"src/Counter.tsx": "export default function Counter() { … }\n"}
    context = project(sketch | {"src/main.tsx": "import App from './App';\n" * 30})
    files = files_in(await parsed(request("Add a reset button to the counter", context=context)))
    whole = applied(COUNTER.files, [COUNTER.edits[0]])
    assert files == {"src/Counter.tsx": whole["src/Counter.tsx"]}


async def test_somebody_else_s_code_is_left_alone():
    long = "\n".join(f"const line{number} = {number};" for number in range(40))
    context = project({"src/Counter.tsx": f"{long}\n"})
    events = await parsed(request("Add a reset button to the counter", context=context))
    assert all(isinstance(event, Prose | ReplyEnded) for event in events)


@pytest.mark.parametrize(
    "prompt", ["Explain monads", "", "add a reset button", "тест \U0001f600", "<file path='x'>"]
)
async def test_what_it_does_not_know_is_answered_in_prose(prompt: str):
    events = await parsed(request(prompt or "?"))
    assert all(isinstance(event, Prose | ReplyEnded) for event in events)


@pytest.mark.parametrize("kind", get_args(EditType))
async def test_what_a_prompt_is_wrapped_in_is_not_taken_for_the_prompt(kind: EditType):
    text = request_text(
        "add a reset button",
        selection="// a dark dashboard, step by step\n",
        selection_path="src/Counter.tsx",
        edit_type=kind,
    )
    events = await parsed(request(text, context=project(COUNTER)))
    assert edited(dict(COUNTER.files), events) == applied(COUNTER.files, [COUNTER.edits[0]])
    text = request_text("sing", selection=None, selection_path=None, edit_type=kind)
    events = await parsed(request(text, context=project(DASHBOARD)))
    assert all(isinstance(event, Prose | ReplyEnded) for event in events)


async def test_a_file_that_is_only_listed_is_not_written_anew():
    context = project_context([], ["src/Counter.tsx", "src/App.tsx"])
    events = await parsed(request("Add a reset button to the counter", context=context))
    assert all(isinstance(event, Prose | ReplyEnded) for event in events)


def mending(first: str, turn: str) -> ModelRequest:
    """A request that comes back to an edit that didn't fit."""
    turns = [Message("user", first), Message("assistant", "An edit"), Message("user", turn)]
    return request(context=project(COUNTER), messages=turns)


async def test_a_repair_makes_the_edit_fit_the_file_as_it_is():
    dark = applied(COUNTER.files, [COUNTER.edits[2]])["src/Counter.tsx"]
    failed = BlockFailure(0, SearchReplace("a\n", "b\n"), "not found", "c\n")
    turn = repair_prompt("src/Counter.tsx", dark, [failed])
    events = await parsed(mending("add a reset button", turn))
    assert [event.path for event in events if isinstance(event, EditBlocks)] == ["src/Counter.tsx"]
    assert "Reset" in edited({"src/Counter.tsx": dark}, events)["src/Counter.tsx"]


async def test_a_repair_that_can_t_fit_says_so():
    turn = repair_prompt("src/Counter.tsx", "something else\n", [])
    events = await parsed(mending("add a reset button", turn))
    assert all(isinstance(event, Prose | ReplyEnded) for event in events)


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_turn_for_the_whole_file_gets_the_whole_file_with_the_edit(is_ours: bool):
    current = COUNTER.files["src/Counter.tsx"] if is_ours else "something else\n"
    turn = whole_file_prompt("src/Counter.tsx", current)
    files = files_in(await parsed(mending("add a reset button", turn)))
    whole = applied(COUNTER.files, [COUNTER.edits[0]])
    assert files == {"src/Counter.tsx": whole["src/Counter.tsx"]}


async def test_mending_a_file_writes_no_other():
    turn = whole_file_prompt("src/App.tsx", TODO.files["src/App.tsx"])
    turns = [Message("user", "add a filter"), Message("user", turn)]
    files = files_in(await parsed(request(context=project(TODO), messages=turns)))
    assert list(files) == ["src/App.tsx"]


@pytest.mark.parametrize(
    ("prompt", "targets", "kind"),
    [
        ("add a reset button to the counter", ["src/Counter.tsx"], "ADD_FEATURE"),
        ("make the counter dark", ["src/Counter.tsx"], "UPDATE_STYLE"),
        ("something else entirely", ["src/App.tsx"], "UPDATE_COMPONENT"),
    ],
)
@pytest.mark.parametrize("schema", [SELECTION_SCHEMA, None])
async def test_files_are_chosen_by_the_words_of_their_names(
    prompt: str, targets: list[str], kind: str, schema: Mapping[str, Any] | None
):
    paths = ["index.html", "src/App.tsx", "src/Counter.tsx", "src/main.tsx"]
    asked = request(selection_prompt(prompt, paths), purpose="select", system="", schema=schema)
    selection = parse_selection(text_of(await asked_of_demo(asked)), paths)
    assert selection is not None
    assert list(selection.paths) == targets
    assert selection.edit_type == kind


async def test_only_the_last_prompt_counts():
    turns = [
        Message("user", "Create a counter"),
        Message("assistant", project(COUNTER)),
        Message("user", "Now a dashboard"),
    ]
    assert files_in(await parsed(request(messages=turns))) == DASHBOARD.files


async def test_the_same_request_gets_the_same_pieces():
    first, second = [await asked_of_demo(request("Create a counter")) for _ in range(2)]
    assert first == second


async def test_pieces_are_uneven():
    events = await asked_of_demo(request("Create a landing page"))
    sizes = {len(event.text) for event in events if isinstance(event, TextPiece)}
    assert len(sizes) > 15
    assert min(sizes) == 1
    assert max(sizes) > 20


def test_pieces_are_the_whole_text():
    text = "\U0001f600 any text\n" * 50
    for seed in range(20):
        assert "".join(uneven(text, random.Random(seed))) == text


async def test_tokens_are_counted_and_cost_nothing():
    usage = end_of(await asked_of_demo(request("Create a counter"))).usage
    assert usage.input_tokens > 0
    assert usage.output_tokens > 100
    assert usage.cost_usd == 0


async def test_it_takes_its_time_as_a_model_does():
    loop = asyncio.get_running_loop()
    async with the_demo(pace_s=0.0005) as model:
        started = loop.time()
        events = await events_of(model, request("Create a counter"))
    pieces = sum(isinstance(event, TextPiece) for event in events)
    assert loop.time() - started >= pieces * 0.0005 * 0.8


async def test_cancelling_does_not_wait_for_the_next_piece():
    async with the_demo(pace_s=3600) as model:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await events_of(model, request("Create a counter"))


async def test_leaving_early_closes_the_stream():
    async with the_demo(pace_s=0.001) as model:
        async with aclosing(model.stream(request("Create a counter"))) as events:
            assert isinstance(await anext(events), TextPiece)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert text_of(await events_of(model, request("Create a counter"))).endswith("<done/>\n")


async def test_the_closed_stream_closes_its_generator():
    async with httpx2.AsyncClient(transport=DemoTransport(pace_s=0)) as client:
        body = {"model": "m", "messages": [{"role": "user", "content": "Create a counter"}]}
        async with client.stream("POST", "http://demo.invalid/v1/messages", json=body) as response:
            frames = response.aiter_raw()
            assert b"message_start" in await anext(frames)
        assert [frame async for frame in frames] == []


@pytest.mark.parametrize("app", apps(), ids=lambda app: app.title)
async def test_what_it_wrote_and_somebody_broke_is_put_back(app: App):
    path = "src/App.tsx"
    files = applied(app.files, app.edits)
    broken = {**files, path: files[path].replace("return (", "return ( oops", 1)}
    problem = SandboxDiagnostic(path, 9, 1, "error", "TS2304", "Cannot find 'oops'.", "tsc")
    events = await parsed(request(fix_prompt([problem], broken), context=project(broken)))
    assert files_in(events) == {path: files[path]}


async def test_what_others_wrote_is_not_mended():
    theirs = {"src/App.tsx": "export const app = () => oops;\n" * 20}
    problem = SandboxDiagnostic("src/App.tsx", 1, 1, "error", "", "Wrong.", "tsc")
    events = await parsed(request(fix_prompt([problem], theirs), context=project(theirs)))
    assert files_in(events) == {}


def test_the_pace_is_a_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORGE_MODEL_DEMO_PACE_S", "0")
    assert load()[0].model.demo_pace_s == 0
