"""The whole way: an editor, the language server, and E2B's double."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from e2b_double import DOMAIN, E2bDouble
from lsp.lsp_wire import Editor, editor
from sandbox_contract import until

ENTRY = Path(__file__).with_name("e2b_lsp_entry.py")
EVENTS = {"events": True}


def at(double: E2bDouble) -> dict[str, str]:
    """The environment of a server whose sandboxes are the double's."""
    return {
        "E2B_API_KEY": double.key,
        "FORGE_SANDBOX_PROVIDER": "e2b",
        "FORGE_SANDBOX_E2B_DOMAIN": DOMAIN,
        "FORGE_SANDBOX_E2B_TEMPLATE": "bare",
        "FORGE_SANDBOX_E2B_PREVIEW_URL": "http://{port}-{id}.{domain}/",
    }


@pytest.fixture
async def client(double: E2bDouble, tmp_path: Path) -> AsyncIterator[Editor]:
    root = tmp_path / "project"
    root.mkdir()
    async with editor(root, tmp_path / "home", ENTRY, at(double)) as running:
        await running.initialize(options=EVENTS)
        yield running


def named(uri: str) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}}


def read(uri: str) -> bytes:
    return Path(unquote(urlsplit(uri).path)).read_bytes()


async def test_python_is_run_in_the_cloud_and_its_output_opened(
    client: Editor, double: E2bDouble
) -> None:
    uri = client.open("a.py", "x = 20\nprint('\x1b[31mhello\x1b[0m')\nx + 1\n", language="python")
    assert (await client.run("forge.sandbox.run", named(uri)))["outcome"] == "completed"
    asked = await client.wait(lambda m: m.get("method") == "window/showDocument")
    assert read(asked["params"]["uri"]) == "hello\n\n── results ──\n21\n".encode()
    client.type(uri, "print(x)\n")
    await client.run("forge.sandbox.run", named(uri))
    await client.wait(lambda _: len(client.requests("window/showDocument")) == 2)
    assert read(client.requests("window/showDocument")[1]["uri"]) == b"20\n"
    titles = [p["value"].get("title") for p in client.requests("$/progress")]
    assert "Forge: running Python (a.py)" in titles
    assert await client.leave() == 0
    assert double.sandboxes == {}


async def test_python_that_never_ends_is_ended_when_it_is_cancelled(
    client: Editor, double: E2bDouble
) -> None:
    uri = client.open("a.py", "while True: pass\n", language="python")
    run_id = (await client.command("forge.sandbox.run", named(uri)))["result"]["runId"]

    async def is_running() -> bool:
        return bool(double.sandboxes) and bool(double.one().jupyter.executed)

    await until(is_running)
    await client.command("forge.cancel", {"runId": run_id})
    assert (await client.wait_for_end(run_id))["outcome"] == "cancelled"

    async def is_ended() -> bool:
        return not double.one().jupyter.contexts

    await until(is_ended)
    assert client.requests("window/showDocument") == []


async def test_the_workspaces_sandbox_outlives_a_server_that_crashed(
    client: Editor, double: E2bDouble, tmp_path: Path
) -> None:
    (client.root / "package.json").write_text('{"name": "mine"}')
    (client.root / "index.html").write_text("<p>before")
    assert (await client.run("forge.sandbox.create"))["outcome"] == "completed"
    made = double.one().id
    client.process.kill()
    await client.process.wait()
    (client.root / "index.html").write_text("<p>after")
    async with editor(client.root, tmp_path / "home", ENTRY, at(double)) as again:
        await again.initialize(options=EVENTS)
        assert (await again.run("forge.sandbox.create"))["outcome"] == "completed"
        status = (await again.command("forge.sandbox.status"))["result"]
        assert (status["sandboxId"], status["isAlive"]) == (made, True)
        page = double.one().machine.home / "app/index.html"
        assert page.read_text() == "<p>after"
