"""forge.sandbox.run, as far as an editor sees it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest_asyncio
from lsp_wire import BARE, Editor, editor

EVENTS = {"events": True}
PNG = b"\x89PNG\r\n\x1a\n(a chart)"
AT_E2B = {"FORGE_SANDBOX_PROVIDER": "e2b"}


@pytest_asyncio.fixture
async def client(workspace: Path, home: Path) -> AsyncIterator[Editor]:
    async with editor(workspace, home, environment=AT_E2B) as running:
        yield running


async def offered(client: Editor, uri: str, only: str = "source") -> list[Any]:
    start = {"line": 0, "character": 0}
    context: dict[str, Any] = {"diagnostics": [], "only": [only]}
    place = {"start": start, "end": start}
    params = {"textDocument": {"uri": uri}, "range": place, "context": context}
    found = (await client.ask("textDocument/codeAction", params))["result"]
    return [each for each in found if "run in the sandbox" in each["title"]]


def named(uri: str) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}}


async def shown(client: Editor, count: int) -> list[Any]:
    """The first so many documents that the editor was asked to show."""
    await client.wait(lambda _: len(client.requests("window/showDocument")) >= count)
    return client.requests("window/showDocument")


def read(uri: str) -> bytes:
    return Path(unquote(urlsplit(uri).path)).read_bytes()


async def test_a_document_is_run_as_it_stands_and_what_it_gives_is_opened(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "chart.py").write_text("print('from the disk')\n")
    uri = client.open("chart.py", language="python")
    client.type(uri, f"print('as it stands')\ndraw({PNG!r})\n")
    last = await client.run("forge.sandbox.run", named(uri))
    assert last["outcome"] == "completed"
    chart, text = await shown(client, 2)
    assert (chart["external"], text["external"]) == (True, False)
    assert chart["uri"].endswith("/chart-1.png")
    assert text["uri"].endswith("/output.txt")
    assert read(chart["uri"]) == PNG
    assert read(text["uri"]).startswith(b"as it stands\n")


async def test_an_editor_that_opens_nothing_is_told_the_first_lines_and_the_place(
    client: Editor, workspace: Path, home: Path
) -> None:
    await client.initialize(BARE, options=EVENTS)
    (workspace / "many.py").write_text("for n in range(100): print(n)\n")
    await client.run("forge.sandbox.run", named((workspace / "many.py").as_uri()))
    told = await client.wait(
        lambda m: m.get("method") == "window/showMessage" and "output" in m["params"]["message"]
    )
    message = told["params"]["message"]
    assert message.startswith("0\n1\n")
    assert "\n10\n" not in message
    place = message.rpartition("The whole output is in ")[2].removesuffix(".")
    assert Path(place).is_relative_to(home)
    assert read(place).endswith(b"99\n")


async def test_an_editor_that_fails_to_open_it_is_told_too(client: Editor, workspace: Path) -> None:
    client.answers["window/showDocument"] = lambda params: {"success": False}
    await client.initialize(options=EVENTS)
    (workspace / "one.py").write_text("print(1)\n")
    await client.run("forge.sandbox.run", named((workspace / "one.py").as_uri()))
    await client.wait(lambda _: any("The whole output" in each for each in client.messages()))


async def test_what_the_code_raises_is_told(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "bad.py").write_text("1 / 0\n")
    last = await client.run("forge.sandbox.run", named((workspace / "bad.py").as_uri()))
    assert last["outcome"] == "completed"
    said = "bad.py raised ZeroDivisionError: division by zero"
    await client.wait(lambda _: said in client.messages())


async def test_only_python_of_the_workspace_is_run(
    client: Editor, workspace: Path, tmp_path: Path
) -> None:
    await client.initialize(options=EVENTS)
    outside = tmp_path / "outside.py"
    outside.write_text("print(1)\n")
    (workspace / "latin.py").write_bytes(b"# \xe9\n")
    (workspace / "a.ts").write_text("1\n")
    refused = [outside.as_uri(), (workspace / "a.ts").as_uri(), "untitled:Untitled-1"]
    for uri in refused:
        answer = await client.command("forge.sandbox.run", named(uri))
        assert "Only a Python file of the workspace" in answer["error"]["message"], uri
    latin = await client.command("forge.sandbox.run", named((workspace / "latin.py").as_uri()))
    assert "isn't UTF-8" in latin["error"]["message"]
    lacking = await client.command("forge.sandbox.run", named((workspace / "no.py").as_uri()))
    assert "There is no file no.py" in lacking["error"]["message"]
    assert client.events() == []


async def test_a_python_file_can_be_run_from_a_code_action(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    uri = client.open("noname", "print('run')\n", language="python")
    other = client.open("a.ts", "1\n", language="typescript")
    await client.command("forge.status")
    assert await offered(client, other) == []
    assert await offered(client, uri, "refactor") == []
    (action,) = await offered(client, uri)
    assert (action["title"], action["kind"]) == ("Forge: run in the sandbox", "source.forge")
    command = action["command"]
    last = await client.run(command["command"], *command["arguments"])
    assert last["outcome"] == "completed"
    (text,) = await shown(client, 1)
    assert read(text["uri"]) == b"run\n"


async def test_without_e2b_no_action_is_offered(workspace: Path, home: Path) -> None:
    async with editor(workspace, home) as client:
        await client.initialize(options=EVENTS)
        uri = client.open("a.py", "print(1)\n", language="python")
        await client.command("forge.status")
        assert await offered(client, uri) == []
