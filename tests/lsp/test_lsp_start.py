"""What an editor waits for at the start, and what it doesn't."""

import asyncio
import sys
from pathlib import Path

from lsp_wire import SERVER, VS_CODE, Editor, editor, server_environment

from forge_lsp.lsp.commands import COMMANDS

HEAVY = (
    "pydantic",
    "pydantic_settings",
    "aiohttp",
    "sqlalchemy",
    "alembic",
    "anthropic",
    "httpx2",
    "e2b",
    "pathspec",
    "tree_sitter",
    "websockets",
    "merge3",
    "keyring",
)


async def test_nothing_heavy_is_imported_before_initialize_is_answered(
    workspace: Path, home: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", str(SERVER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=server_environment(home),
        limit=2**24,
    )
    running = Editor(process, workspace)
    try:
        answer = await running.ask(
            "initialize", {"processId": None, "rootUri": None, "capabilities": VS_CODE}
        )
        assert "result" in answer
        process.kill()
        assert process.stderr
        imported = {
            line.rpartition("|")[2].strip().partition(".")[0]
            for line in (await process.stderr.read()).decode().splitlines()
            if line.startswith("import time:")
        }
    finally:
        await running.close()
    assert "pygls" in imported
    assert imported.isdisjoint(HEAVY)


async def test_the_capabilities_list_exactly_the_commands_that_exist(client: Editor) -> None:
    capabilities = await client.initialize()
    assert capabilities["executeCommandProvider"] == {
        "commands": [
            "forge.generate",
            "forge.edit",
            "forge.build",
            "forge.resume",
            "forge.fix",
            "forge.skills",
            "forge.skill.run",
            "forge.augmenter.run",
            "forge.apply",
            "forge.fragments",
            "forge.fragment.update",
            "forge.conversation.new",
            "forge.conversation.switch",
            "forge.conversation.show",
            "forge.review.accept",
            "forge.review.reject",
            "forge.review.diff",
            "forge.undo",
            "forge.history",
            "forge.restore",
            "forge.cancel",
            "forge.runs",
            "forge.status",
            "forge.sandbox.create",
            "forge.sandbox.status",
            "forge.sandbox.files",
            "forge.sandbox.diagnostics",
            "forge.sandbox.logs",
            "forge.sandbox.run",
            "forge.sandbox.kill",
            "forge.sandbox.open",
            "forge.packages.install",
        ],
        "workDoneProgress": True,
    }
    assert len(COMMANDS) == 32
    assert capabilities["codeActionProvider"]["codeActionKinds"] == [
        "refactor.rewrite.forge",
        "refactor.rewrite.forge.review",
        "quickfix.forge",
        "source.fixAll.forge",
        "source.forge",
    ]
    assert "resolveProvider" not in capabilities["codeActionProvider"]


async def test_each_position_encoding_is_taken_as_the_client_prefers(
    workspace: Path, home: Path
) -> None:
    for encoding in ("utf-8", "utf-32"):
        async with editor(workspace, home) as client:
            found = await client.initialize({"general": {"positionEncodings": [encoding]}})
            assert found["positionEncoding"] == encoding


async def test_what_is_printed_by_mistake_stays_out_of_the_protocol(
    workspace: Path, home: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "loud_entry.py"
    entry.write_text(
        "import sys, os\n"
        f"sys.path.insert(0, {str(SERVER.parent)!r})\n"
        "import lsp_entry\n"
        "quiet = lsp_entry.open_engine\n"
        "async def loud(settings, places):\n"
        "    print('a print', flush=True)\n"
        "    os.write(1, b'a write')\n"
        "    return await quiet(settings, places)\n"
        "lsp_entry.open_engine = loud\n"
        "sys.exit(lsp_entry.main())\n"
    )
    async with editor(workspace, home, entry) as client:
        await client.initialize()
        assert (await client.command("forge.runs"))["result"] == []
        assert await client.leave() == 0


async def test_the_server_runs_over_tcp_and_websocket(workspace: Path, home: Path) -> None:
    for transport in ("tcp", "websocket"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SERVER)),
            stdout=asyncio.subprocess.PIPE,
            env=server_environment(home, LSP_TEST_TRANSPORT=transport),
        )
        try:
            assert process.stdout
            port = int(await process.stdout.readline())
            talk = _over_tcp if transport == "tcp" else _over_websocket
            assert b"positionEncoding" in await talk(port)
            process.terminate()
            async with asyncio.timeout(2):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


BODY = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize",'
    b'"params":{"processId":null,"rootUri":null,"capabilities":{}}}'
)


async def _over_tcp(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
    header = await reader.readuntil(b"\r\n\r\n")
    length = int(header.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    answer = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return answer


async def _over_websocket(port: int) -> bytes:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}", proxy=None) as websocket:
        await websocket.send(BODY.decode())
        return await websocket.recv(decode=False)
