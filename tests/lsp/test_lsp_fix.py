"""forge.fix: its command, its quick fixes, the action for all; a line with BROKEN is wrong."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsp_wire import Editor, editor
from sandbox_line import SandboxLine

EVENTS = {"events": True}
PLACE = {"start": {"line": 1, "character": 3}, "end": {"line": 1, "character": 9}}
FOREIGN = {"range": PLACE, "message": "Unexpected var.\nMore.", "severity": 2, "source": "eslint"}


async def offered(
    client: Editor, uri: str, *diagnostics: dict[str, Any], **context: Any
) -> list[dict[str, Any]]:
    params = {
        "textDocument": {"uri": uri},
        "range": PLACE,
        "context": {"diagnostics": list(diagnostics), **context},
    }
    return (await client.ask("textDocument/codeAction", params))["result"]


async def test_any_servers_diagnostic_has_a_quick_fix(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "let a;\nvar b = 1;\n")
    (action,) = await offered(client, uri, FOREIGN)
    assert action["title"] == 'Forge: fix "Unexpected var."'
    assert action["kind"] == "quickfix.forge"
    assert action["diagnostics"] == [FOREIGN]
    (arguments,) = action["command"]["arguments"]
    assert arguments["textDocument"] == {"uri": uri}
    assert arguments["diagnostics"][0]["message"] == FOREIGN["message"]
    assert await offered(client, uri, FOREIGN, only=["source"]) == []


async def test_a_long_message_makes_a_short_title(client: Editor, workspace: Path) -> None:
    await client.initialize()
    uri = client.open("a.ts", "let a;\nvar b = 1;\n")
    (action,) = await offered(client, uri, {**FOREIGN, "message": "x" * 500})
    assert len(action["title"]) < 80


async def test_all_problems_are_mended_at_once_but_never_by_a_save(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    await client.run("forge.generate", {"prompt": "Create a counter"})
    await client.run("forge.review.accept")
    app = workspace / "src" / "App.tsx"
    good = app.read_text()
    app.write_text(good.replace("return (", "return ( BROKEN", 1))
    uri = client.open("src/App.tsx")
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    diagnostics: list[dict[str, Any]] = []
    while not diagnostics:
        answer = await client.command("forge.sandbox.diagnostics")
        diagnostics = answer["result"]["diagnostics"]
    fix_all = {"only": ["source.fixAll"], "triggerKind": 1}
    (action,) = await offered(client, uri, **fix_all)
    assert action["kind"] == "source.fixAll.forge"
    assert await offered(client, uri, **{**fix_all, "triggerKind": 2}) == []

    last = await client.run("forge.fix", *action["command"]["arguments"])
    assert last["outcome"] == "completed", (last, client.messages())
    await client.run("forge.review.accept")
    assert client.documents[uri] == good
    await client.command("forge.sandbox.diagnostics")
    assert await offered(client, uri, **fix_all) == []


async def test_a_hostile_diagnostic_is_mended_like_any_other(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.ts").write_text("let a;\nvar b = 1;\n")
    uri = client.open("a.ts")
    hostile = {**FOREIGN, "message": "\ud800" * 50_000, "code": "\udfff", "source": "\ud800"}
    last = await client.run("forge.fix", {"textDocument": {"uri": uri}, "diagnostics": [hostile]})
    assert last["code"] != "internal_error", last


async def test_diagnostics_without_their_file_are_refused_in_a_sentence(client: Editor) -> None:
    await client.initialize()
    answer = await client.command("forge.fix", {"diagnostics": [FOREIGN]})
    assert "isn't part of the workspace" in answer["error"]["message"]


@pytest_asyncio.fixture
async def line() -> SandboxLine:
    return SandboxLine()


@pytest_asyncio.fixture
async def counter(workspace: Path, home: Path, line: SandboxLine) -> AsyncIterator[Editor]:
    """An editor in whose workspace the demo model's counter stands, and in a sandbox."""
    async with editor(workspace, home, environment=line.environment) as client:
        await client.initialize(options=EVENTS)
        await client.run("forge.generate", {"prompt": "Create a counter"})
        await client.run("forge.review.accept")
        yield client


def marks(client: Editor, uri: str) -> list[dict[str, Any]]:
    published = client.requests("textDocument/publishDiagnostics")
    mine = [each["diagnostics"] for each in published if each["uri"] == uri]
    return mine[-1] if mine else []


@pytest.mark.parametrize(
    ("broken", "code"),
    [("BROKEN", "TS1"), ("BROKEN:server", "transform"), ("BROKEN:page", "runtime")],
)
async def test_every_kind_of_error_is_mended_where_it_is_marked(
    counter: Editor, line: SandboxLine, broken: str, code: str
) -> None:
    uri = counter.open("src/App.tsx")
    good = counter.documents[uri]
    if code == "runtime":
        await line.ask("browser")
    counter.type(uri, good.replace("return (", f"return ( {broken}", 1))
    counter.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    if code == "runtime":
        # Whoever has the page open sees it throw.
        await line.ask("stir")
    await counter.wait(lambda _: marks(counter, uri))
    (mark,) = marks(counter, uri)
    assert mark["code"] == code
    mark.pop("data", None)
    (action,) = await offered(counter, uri, mark, only=["quickfix"])
    assert action["diagnostics"] == [mark]
    last = await counter.run("forge.fix", *action["command"]["arguments"])
    assert last["outcome"] == "completed", (last, counter.messages())
    await counter.run("forge.review.accept")
    assert counter.documents[uri] == good
    await counter.wait(lambda _: not marks(counter, uri))


async def test_a_missing_package_is_installed_without_asking_the_model(
    counter: Editor, line: SandboxLine, workspace: Path
) -> None:
    uri = counter.open("src/App.tsx")
    counter.type(uri, f"{counter.documents[uri]}// BROKEN:package=clsx\n")
    counter.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await counter.wait(lambda _: marks(counter, uri))
    (mark,) = marks(counter, uri)
    # Not every editor gives back the data, in which the package's name stands.
    mark.pop("data")
    (action,) = await offered(counter, uri, mark, only=["quickfix"])
    run_id = (await counter.command("forge.fix", *action["command"]["arguments"]))["result"][
        "runId"
    ]
    assert (await counter.wait_for_end(run_id))["outcome"] == "completed"
    assert "usage" not in [each["type"] for each in counter.events(run_id)]
    assert "clsx" in (await line.ask("tell"))["installed"]
    await counter.wait(lambda _: not marks(counter, uri))
    await counter.run("forge.review.accept")
    assert '"clsx"' in (workspace / "package.json").read_text()


async def test_actions_on_many_marks_are_answered_from_memory(
    counter: Editor, line: SandboxLine
) -> None:
    uri = counter.open("src/App.tsx")
    wrong = {"severity": "error", "code": "TS1", "source": "tsc", "message": "It is broken."}
    problems = [{**wrong, "file": "src/App.tsx", "line": 1, "column": 1}] * 5_000
    await line.ask("report", diagnostics=problems)
    await line.ask("stir")
    await counter.wait(lambda _: marks(counter, uri))
    mark = marks(counter, uri)[0]
    took: list[float] = []
    for _ in range(50):
        started = time.perf_counter()
        fix, fix_all = await offered(counter, uri, mark, only=["quickfix", "source.fixAll"])
        took.append(time.perf_counter() - started)
        assert (fix["kind"], fix_all["kind"]) == ("quickfix.forge", "source.fixAll.forge")
    # The best of many, since others may have the processor meanwhile.
    assert min(took) < 0.005
