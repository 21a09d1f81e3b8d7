"""`forge-lsp lsp` on each transport, with the HTTP API beside it."""

import asyncio
import json
import signal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cli_running import environment, first_file, serving

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.cli.demo.connection import Connection, ServerRefused, Unanswerable
from forge_lsp.cli.demo.editor import Editor, opened
from forge_lsp.cli.language_server import HttpDoor
from forge_lsp.settings import HttpSettings, Places, Settings

ANSWER_S = 30.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace folder; the server's home is beside it."""
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    made = tmp_path / "workspace"
    made.mkdir()
    return made


def health(url: str) -> int:
    connection = HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status
    finally:
        connection.close()


async def test_over_stdio_it_serves_the_editor_and_the_http_api(folder: Path) -> None:
    async with opened(folder):
        servers = folder.parent / "home" / "state" / "servers"
        place = await asyncio.to_thread(first_file, servers, "*.json")
        line = json.loads(place.read_text())
        assert await asyncio.to_thread(health, line["url"]) == 200
        assert folder.as_uri() in line["folders"]
    assert not place.exists()


async def test_a_setting_leaves_the_http_api_out(tmp_path: Path) -> None:
    async def never() -> Engine:
        raise AssertionError("nobody asked for the engine")

    places = Places.find(tmp_path)
    door = HttpDoor(None, Late(never))
    assert await door.open(Settings(http=HttpSettings(enabled=False)), places) == ""
    await door.close()
    open_door = HttpDoor(None, Late(never))
    assert urlsplit(await open_door.open(Settings(), places)).hostname == "127.0.0.1"
    await open_door.close()


async def test_the_log_names_no_prompt(folder: Path) -> None:
    async with opened(folder) as editor:
        with pytest.raises(ServerRefused):
            await editor.execute("forge.cancel", {"prompt": "a very secret plan"})
    logs = folder.parent / "home" / "state" / "log"
    written = "".join(log.read_text() for log in logs.glob("*")) if logs.is_dir() else ""
    assert "secret plan" not in written


async def test_over_tcp_it_tells_where_it_listens_and_answers(tmp_path: Path) -> None:
    with serving(tmp_path, "lsp", "--tcp", "127.0.0.1:0") as (process, line):
        parts = urlsplit(line["url"])
        assert parts.scheme == "tcp"
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        connection = Connection(reader, writer, refuse, ignore)
        attending = asyncio.create_task(connection.attend())
        async with asyncio.timeout(ANSWER_S):
            result = await connection.request("initialize", {"capabilities": {}})
            assert result["serverInfo"]["name"] == "forge-lsp"
            process.send_signal(signal.SIGTERM)
            await attending
        writer.close()
        assert await asyncio.to_thread(process.wait, 10) == 0


async def test_requests_fail_when_the_server_is_gone(folder: Path) -> None:
    with pytest.raises(ServerRefused):
        async with opened(folder) as editor:
            await killed(editor)


async def killed(editor: Editor) -> None:
    waiting = asyncio.create_task(editor.next_note())
    editor.server.kill()
    async with asyncio.timeout(ANSWER_S):
        while True:
            await waiting
            waiting = asyncio.create_task(editor.next_note())


async def refuse(method: str, params: Any) -> Any:
    raise Unanswerable


def ignore(method: str, params: Any) -> None:
    pass
