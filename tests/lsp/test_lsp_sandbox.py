"""The workspace's sandbox, as far as an editor sees it."""

import asyncio
from pathlib import Path
from typing import Any

from lsp_wire import BARE, Editor, editor

EVENTS = {"events": True}
WAIT_S = 30


async def sandbox_file(client: Editor, path: str) -> dict[str, Any] | None:
    """Which problem the sandbox finds in `path`, which shows what stands there."""
    answer = await client.command("forge.sandbox.diagnostics")
    return next((d for d in answer["result"]["diagnostics"] if d["file"] == path), None)


async def comes_into_the_sandbox(client: Editor, path: str) -> None:
    """Changes are written through once there were no others for a moment."""
    async with asyncio.timeout(WAIT_S):
        while await sandbox_file(client, path) is None:
            pass


async def test_a_sandbox_is_made_filled_shown_and_ended(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "mine.txt").write_text("mine")
    answer = await client.command("forge.sandbox.create")
    run_id = answer["result"]["runId"]
    assert (await client.wait_for_end(run_id))["outcome"] == "completed"
    assert "sandbox_ready" in [each["type"] for each in client.events(run_id)]

    status = (await client.command("forge.sandbox.status"))["result"]
    assert status["isAlive"] is True
    files = (await client.command("forge.sandbox.files"))["result"]["files"]
    assert "mine.txt" in files
    opened = (await client.command("forge.sandbox.open"))["result"]
    assert opened["shown"] is True
    (shown,) = client.requests("window/showDocument")
    assert (shown["uri"], shown["external"]) == (status["url"], True)
    killed = (await client.command("forge.sandbox.kill"))["result"]
    assert killed["killed"] == [status["sandboxId"]]
    gone = (await client.command("forge.sandbox.status"))["result"]
    assert gone["isAlive"] is False
    last = await client.run("forge.sandbox.create")
    assert last["outcome"] == "completed"
    again = (await client.command("forge.sandbox.status"))["result"]
    assert again["sandboxId"] != status["sandboxId"]


async def test_without_show_document_the_url_is_told(client: Editor) -> None:
    await client.initialize(BARE, options=EVENTS)
    await client.run("forge.sandbox.create")
    opened = (await client.command("forge.sandbox.open"))["result"]
    assert opened["shown"] is False
    assert f"The preview is at {opened['url']}" in client.messages()


async def test_what_is_saved_is_written_through_from_the_document(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.ts").write_text("fine")
    uri = client.open("a.ts")
    await client.run("forge.sandbox.create")
    assert await sandbox_file(client, "a.ts") is None
    client.type(uri, "BROKEN")
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await comes_into_the_sandbox(client, "a.ts")
    assert (workspace / "a.ts").read_text() == "fine"


async def test_what_changes_outside_the_editor_is_written_through(
    client: Editor, workspace: Path
) -> None:
    capabilities = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    await client.initialize(capabilities, options=EVENTS)
    registered = await client.wait(lambda m: m.get("method") == "client/registerCapability")
    (registration,) = registered["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    await client.run("forge.sandbox.create")
    for name in (".gitignore", "hidden.ts", "seen.ts"):
        (workspace / name).write_text("hidden.ts\n" if name == ".gitignore" else "BROKEN")
        event = {"uri": (workspace / name).as_uri(), "type": 1}
        client.notify("workspace/didChangeWatchedFiles", {"changes": [event]})
    await comes_into_the_sandbox(client, "seen.ts")
    assert await sandbox_file(client, "hidden.ts") is None


async def test_problems_are_marked_in_the_clients_units_and_cleared_when_gone(
    workspace: Path, home: Path
) -> None:
    async with editor(workspace, home) as client:
        await client.initialize({"general": {"positionEncodings": ["utf-8"]}}, options=EVENTS)
        (workspace / "a.ts").write_text("fine\n😀 BROKEN\n")
        uri = client.open("a.ts")
        await client.run("forge.sandbox.create")
        answer = await client.command("forge.sandbox.diagnostics")
        assert [each["file"] for each in answer["result"]["diagnostics"]] == ["a.ts"]
        (published,) = client.requests("textDocument/publishDiagnostics")
        assert published["uri"] == uri
        assert "version" not in published
        (diagnostic,) = published["diagnostics"]
        assert diagnostic["range"]["start"] == {"line": 1, "character": 5}
        assert (diagnostic["source"], diagnostic["code"]) == ("forge", "TS1")
        await client.run("forge.apply", {"files": {"a.ts": "fine\n"}})
        await client.command("forge.sandbox.diagnostics")
        assert client.requests("textDocument/publishDiagnostics")[-1] == {
            "uri": uri,
            "diagnostics": [],
        }


async def test_packages_go_into_the_sandbox_and_package_json(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "package.json").write_text('{\n  "name": "x"\n}\n')
    last = await client.run("forge.packages.install", {"packages": ["clsx"]})
    assert last["outcome"] == "completed", last
    assert '"clsx": "^1.2.3"' in (workspace / "package.json").read_text()


async def test_packages_go_into_the_sandbox_that_is_named(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    await client.run("forge.sandbox.create")
    first = (await client.command("forge.sandbox.status"))["result"]
    await client.run("forge.sandbox.create")
    named = {"packages": ["clsx"], "sandboxId": first["sandboxId"]}
    assert (await client.run("forge.packages.install", named))["outcome"] == "completed"
    active = (await client.command("forge.sandbox.status"))["result"]
    assert active["sandboxId"] == first["sandboxId"]
    refused = await client.command("forge.packages.install", {**named, "sandboxId": "sb_none"})
    assert "Sandbox not found" in str(refused["error"]["message"])
