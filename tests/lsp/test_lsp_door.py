"""The HTTP API beside the language server: mounted, announced, and gone with it."""

import json
from pathlib import Path

from lsp_wire import SERVER, editor

ENTRY = f"""
import asyncio, sys
sys.path.insert(0, {str(SERVER.parent)!r})
import lsp_entry
from forge_lsp.lsp.server import serve_stdio

class Door:
    def __init__(self, engine):
        self.engine = engine
    async def open(self, settings, places):
        return "http://127.0.0.1:%d" % (settings.http.port or 9)
    async def close(self):
        sys.stderr.write("the door is closed\\n")

sys.exit(asyncio.run(serve_stdio(lsp_entry.open_engine, Door)))
"""


async def test_the_url_is_announced_to_the_owner_only_and_taken_back_at_the_end(
    workspace: Path, home: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "entry_with_a_door.py"
    entry.write_text(ENTRY)
    async with editor(workspace, home, entry) as client:
        await client.initialize()
        # The first command is answered after `initialized` was taken; the status tells the rest.
        status = {}
        while not status.get("httpUrl"):
            status = (await client.command("forge.status"))["result"]
        assert status["httpUrl"] == "http://127.0.0.1:9"
        assert "HTTP: http://127.0.0.1:9" in client.messages()[-1]
        place = home / "state" / "servers" / f"{client.process.pid}.json"
        while not place.exists():
            await client.command("forge.runs")
        assert place.stat().st_mode & 0o777 == 0o600
        assert json.loads(place.read_text()) == {
            "pid": client.process.pid,
            "url": "http://127.0.0.1:9",
            "folders": [workspace.as_uri()],
        }
        assert await client.leave() == 0
        assert not place.exists()


async def test_the_editors_own_settings_reach_the_api(
    workspace: Path, home: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "entry_with_a_door.py"
    entry.write_text(ENTRY)
    async with editor(workspace, home, entry) as client:
        await client.initialize(options={"http": {"port": 4711}})
        while not (status := (await client.command("forge.status"))["result"]).get("httpUrl"):
            pass
        assert status["httpUrl"] == "http://127.0.0.1:4711"


async def test_a_wrong_setting_of_the_api_is_told_and_the_editor_served_all_the_same(
    workspace: Path, home: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "entry_with_a_door.py"
    entry.write_text(ENTRY)
    async with editor(workspace, home, entry) as client:
        await client.initialize(options={"http": {"port": 70_000}})
        while not client.messages():
            await client.ask("textDocument/codeLens", {"textDocument": {"uri": "file:///x"}})
        assert client.messages()[0].startswith("The setting forge.http.port is wrong")
