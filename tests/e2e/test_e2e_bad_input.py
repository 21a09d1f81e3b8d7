"""What people and other programs do wrong: each is said once, clearly, and nothing is lost."""

import asyncio
import fcntl
import os
import socket
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from e2e_editor import Editor, opened, opened_by
from e2e_home import Home, contents, fill
from e2e_projects import COUNTER, counter_project, counter_with_reset
from e2e_tools import FORGE, LANGUAGE_SERVER
from pygls.exceptions import JsonRpcException

pytestmark = pytest.mark.slow

WRONG_PROMPTS = [
    ("", "Prompt is required", 'Give it as {"prompt": "add a reset button"}, or write the comment'),
    (" \n", "Prompt is required", 'Give it as {"prompt": "add a reset button"}'),
    (
        "x" * (1 << 20),
        "The prompt has 1,048,576 bytes; at most 200,000 are allowed.",
        "Shorten it, or put long text into a file of the project.",
    ),
]
ANSWER_TIMEOUT_S = 20.0
CONFLICT = (
    "Not everything was taken over. src/App.tsx: it has changed since, in the same lines; "
    "your text was left alone."
)


# Prompts


async def test_a_prompt_that_cant_be_taken_is_refused_in_an_editor_and_over_http(
    workspace: Path, plain_home: Home
) -> None:
    async with opened(workspace, plain_home) as editor:
        url = await _url(editor)
        token = (plain_home.folder / "forge/state/token").read_text().strip()
        for prompt, why, remedy in WRONG_PROMPTS:
            told = await editor.refusal("forge.generate", prompt=prompt)
            assert told.startswith(why)
            assert remedy in told
            answer = await asyncio.to_thread(_post, url, token, {"prompt": prompt})
            assert answer == (400, {"success": False, "error": why})
        assert await editor.execute("forge.runs") == []


async def _url(editor: Editor) -> str:
    """Where the editor's server answers over HTTP, once it does."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        while True:
            url = (await editor.execute("forge.status"))["httpUrl"]
            if url:
                return url


def _post(url: str, token: str, body: object) -> tuple[int, object]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/api/generate/stream", msgspec.json.encode(body), headers)
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read())
    finally:
        connection.close()


# Folders


async def test_a_folder_that_cant_be_worked_in_is_refused_and_left_alone(
    open_folder: Path,
) -> None:
    home, read_only = open_folder / "home", open_folder / "read-only"
    mine = {"notes.txt": b"mine\n"}
    for each in (home, read_only):
        fill(each, mine)
    read_only.chmod(0o555)
    refused = {
        open_folder / "missing": "The folder {} isn't there.",
        read_only: "The folder {} can't be written.",
        home: "{} holds all that you have, and so is no project folder.",
        Path("/"): "{} holds all that you have, and so is no project folder.",
    }
    # Root may write what is read-only, unless that is taken from it: see capabilities(7).
    without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
    server = (*without, *LANGUAGE_SERVER) if os.geteuid() == 0 else LANGUAGE_SERVER
    settings = {"HOME": str(home), "FORGE_HTTP_ENABLED": "false"}
    kept = Home.make(open_folder / "kept", open_folder / "cache")
    async with opened_by(server, [open_folder, *refused], kept, settings) as editor:
        for folder, why in refused.items():
            document = {"uri": (folder / "App.tsx").as_uri()}
            told = await editor.refusal("forge.generate", prompt="x", textDocument=document)
            assert told == f"{why.format(folder)} Open a project folder and try again."
    assert contents(home) == contents(read_only) == mine


# Ports


async def test_without_its_http_port_the_language_server_goes_on_and_says_so(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        why = f"The HTTP API can't listen on 127.0.0.1:{port}: Address already in use."
        async with opened(workspace, plain_home, "--http-port", port, **no_node) as editor:
            assert await editor.message(0) == (
                f"{why} Choose another with --http-port or http.port; 0 takes any that is free."
            )
            await editor.run("forge.generate", prompt="create a counter app")
            await editor.run("forge.review.accept")
            assert sum(why in message for message in editor.messages) == 1
        served = await asyncio.to_thread(_serve, plain_home, port)
    assert contents(workspace) == counter_project()
    assert (served.returncode, served.stdout) == (1, "")
    remedy = "Choose another with --port; 0 takes any that is free."
    assert served.stderr == f"forge-lsp: {why} {remedy}\n"


def _serve(home: Home, port: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*FORGE, "serve", "--port", port],
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=ANSWER_TIMEOUT_S,
        check=False,
    )


# A second editor


async def test_two_editors_on_one_folder_write_and_accept_at_once_and_lose_nothing(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    async with (
        opened(workspace, plain_home, **no_node) as one,
        opened(workspace, plain_home, **no_node) as other,
    ):
        await asyncio.gather(
            one.run("forge.generate", prompt="create a counter app"),
            other.run("forge.generate", prompt="create a to-do list"),
        )
        told = await asyncio.gather(
            one.told("forge.review.accept"), other.told("forge.review.accept")
        )
        for each in told:
            if each.last.outcome != "completed":
                assert each.messages == [CONFLICT]
        assert sorted(each.last.outcome for each in told) == ["completed", "failed"]
        project = contents(workspace)
        assert {COUNTER, "src/useTodos.ts", "package.json"} <= set(project)
        assert project["package.json"] == counter_project()["package.json"]
        runs = await one.execute("forge.runs")
        assert len(runs) == 4
        assert await other.execute("forge.runs") == runs
    assert "locked" not in (plain_home.folder / "server.log").read_text()


async def _accepted(editor: Editor) -> str:
    """How an accept ends."""
    try:
        last = (await editor.told("forge.review.accept")).last
    except JsonRpcException as refused:
        return refused.message
    return last.code or last.outcome


async def test_a_change_that_two_editors_accept_at_once_is_made_once_and_undone_exactly(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    async with opened(workspace, plain_home, **no_node) as one:
        await one.run("forge.edit", prompt="add a reset button")
        async with opened(workspace, plain_home, **no_node) as other:
            # Both know of it then.
            await other.execute("forge.review.diff")
            both = await asyncio.gather(_accepted(one), _accepted(other))
            assert "completed" in both
            assert set(both) <= {"completed", "conflict", "Nothing waits for review."}
            assert (workspace / COUNTER).read_bytes() == counter_with_reset()
            for editor in (one, other):
                told = await editor.refusal("forge.review.accept")
                assert told == "Nothing waits for review."
            await other.run("forge.undo")
    assert contents(workspace) == counter_project()


async def test_a_change_waits_while_another_server_makes_one(
    workspace: Path, plain_home: Home
) -> None:
    files = {"notes.txt": "new\n"}
    async with opened(workspace, plain_home) as editor:
        folder = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            run_id = await editor.start("forge.apply", files=files, target="workspace")
            await editor.wait_for(run_id, lambda event: event.type == "run_started")
            await editor.execute("forge.runs")
            assert contents(workspace) == {}
        finally:
            os.close(folder)
        last = await editor.wait_for(run_id, lambda event: event.type == "run_finished")
        assert last.outcome == "completed"
    assert contents(workspace) == {"notes.txt": b"new\n"}
