"""Edits of fragments through other processes, as the editor that has the folder open sees them."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from lsp_wire import WAIT_S, Editor, editor, server_environment
from postgres_cluster import Cluster
from sandbox_line import SandboxLine

EVENTS = {"events": True}
COUNTER = "src/Counter.tsx"
BETTER = "export default function Counter() {\n  return <p>better</p>;\n}\n"


@dataclass
class World:
    """An editor in which a counter was generated and accepted."""

    client: Editor
    line: SandboxLine
    root: Path
    home: Path
    database: dict[str, str]

    async def fragment(self) -> dict[str, Any]:
        return (await self.client.command("forge.fragments"))["result"][0]

    async def shows(self, uri: str, text: str) -> None:
        """Wait until a document holds that text."""
        await self.client.wait(lambda _: self.client.documents[uri] == text)

    async def is_done(self) -> None:
        """Wait until the run has ended that brought an edit here."""
        async with asyncio.timeout(WAIT_S):
            while True:
                newest = (await self.client.command("forge.runs"))["result"][0]
                if newest["kind"] == "fragment" and newest["endedAt"]:
                    return

    async def sandbox_holds(self, path: str, text: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if (await self.line.ask("tell"))["contents"].get(path) == text:
                    return


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What names it to a process."""
    if request.param == "sqlite":
        yield {}
        return
    running: Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        yield {"FORGE_DATABASE_URL": url}


@pytest_asyncio.fixture
async def world(workspace: Path, home: Path, database: dict[str, str]) -> AsyncIterator[World]:
    line = SandboxLine()
    more = {**line.environment, **database}
    async with editor(workspace, home, environment=more) as client:
        await client.initialize(options=EVENTS)
        await client.run("forge.generate", {"prompt": "Create a counter"})
        await client.run("forge.review.accept")
        yield World(client, line, workspace, home, database)


@asynccontextmanager
async def serving(home: Path, database: dict[str, str]) -> AsyncGenerator[str]:
    """`forge-lsp serve` on the same database; gives its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forge_lsp", "serve", "--no-auth"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=server_environment(home, **database),
    )
    try:
        assert process.stdout
        async with asyncio.timeout(60):
            yield json.loads(await process.stdout.readline())["url"]
    finally:
        process.terminate()
        await process.communicate()


async def patch(url: str, fragment: dict[str, Any], root: Path, text: str) -> Any:
    body = {"files": {COUNTER: text}, "projectId": root.as_uri()}
    async with (
        aiohttp.ClientSession(url) as session,
        session.patch(f"/api/fragments/{fragment['id']}", json=body) as response,
    ):
        assert response.status == 200, await response.text()
        return await response.json()


async def test_an_edit_over_http_in_another_process_reaches_document_and_sandbox(
    world: World,
) -> None:
    uri = world.client.open(COUNTER)
    fragment = await world.fragment()
    async with serving(world.home, world.database) as url:
        answer = await patch(url, fragment, world.root, BETTER)
        assert answer["sandboxUrl"] == fragment["sandboxUrl"]
        await world.shows(uri, BETTER)
        await world.sandbox_holds(COUNTER, BETTER)
        await world.is_done()
        # What the person types then collides with an edit of the same line.
        world.client.type(uri, BETTER.replace("better", "mine"))
        await patch(url, fragment, world.root, BETTER.replace("better", "best"))
    told = await world.client.wait(
        lambda message: (
            message.get("method") == "window/showMessage"
            and COUNTER in message["params"]["message"]
            and "overwritten" in message["params"]["message"]
        )
    )
    assert "forge.review.diff" in told["params"]["message"]
    assert world.client.documents[uri] == BETTER.replace("better", "mine")
    diff = (await world.client.command("forge.review.diff"))["result"]["diff"]
    assert "-  return <p>mine</p>;" in diff
    assert "+  return <p>best</p>;" in diff
    await world.client.run("forge.review.accept")
    await world.shows(uri, BETTER.replace("better", "best"))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_two_editors_on_one_folder_both_get_it(world: World) -> None:
    uri = world.client.open(COUNTER)
    async with editor(world.root, world.home) as second:
        await second.initialize(options=EVENTS)
        theirs = second.open(COUNTER)
        typed = second.documents[theirs] + "// mine\n"
        second.type(theirs, typed)
        fragment = (await second.command("forge.fragments"))["result"][0]
        first = (world.root / COUNTER).read_text()
        edited = "// edited\n" + first
        given = {"fragmentId": fragment["id"], "files": {COUNTER: edited}}
        assert (await second.command("forge.fragment.update", given))["result"]["version"] == 2
        await world.shows(uri, edited)
        await second.wait(lambda _: second.documents[theirs] == "// edited\n" + typed)
        await world.sandbox_holds(COUNTER, edited)
        for client in (world.client, second):
            assert not any("overwritten" in message for message in client.messages())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_folder_that_was_worked_in_is_followed_from_the_first_command_on(
    world: World,
) -> None:
    fragment = await world.fragment()
    async with editor(world.root, world.home) as second:
        await second.initialize(options=EVENTS)
        theirs = second.open(COUNTER)
        # Of no folder in particular.
        await second.command("forge.runs")
        edited = "// edited\n" + (world.root / COUNTER).read_text()
        given = {"fragmentId": fragment["id"], "files": {COUNTER: edited}}
        assert (await world.client.command("forge.fragment.update", given))["result"]
        await second.wait(lambda _: second.documents[theirs] == edited)
