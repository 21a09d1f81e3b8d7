"""A test's own line to the sandboxes in memory of a server process: JSON over a local socket."""

import asyncio
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory_sandbox import MemoryProvider, MemorySandbox

VARIABLE = "LSP_TEST_SANDBOX_LINE"


class SandboxLine:
    """The test's end."""

    def __init__(self) -> None:
        self.name = f"forge-test-{secrets.token_hex(8)}"

    @property
    def environment(self) -> dict[str, str]:
        """What the server process needs to open its end."""
        return {VARIABLE: self.name}

    async def ask(self, do: str, **fields: Any) -> Any:
        """Have something done to the newest sandbox; gives what came of it."""
        reader, writer = await asyncio.open_unix_connection(f"\0{self.name}", limit=2**26)
        try:
            writer.write(json.dumps({"do": do, **fields}).encode() + b"\n")
            return json.loads(await reader.readline())
        finally:
            writer.close()


async def open_line(provider: "MemoryProvider") -> None:
    """The server's end, where a test wants one; stays open as long as the process."""
    name = os.environ.get(VARIABLE)
    if name is None:
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        writer.write(json.dumps(await _do(provider.made[-1], asked)).encode() + b"\n")
        writer.close()

    await asyncio.start_unix_server(serve, f"\0{name}", limit=2**26)


async def _do(sandbox: "MemorySandbox", asked: dict[str, Any]) -> Any:
    from memory_sandbox import PICTURE

    from forge_lsp.ports.sandbox import DiagnosticsReport, SandboxDiagnostic

    match asked["do"]:
        case "say":
            await sandbox.say(asked["lines"], asked.get("source", "server"))
        case "say much":
            await sandbox.say(f"line {number}" for number in range(asked["count"]))
        case "report":
            problems = [SandboxDiagnostic(**each) for each in asked["diagnostics"]]
            sandbox.report = DiagnosticsReport(asked.get("output", ""), (), tuple(problems))
        case "stir":
            await sandbox.stir()
        case "kill":
            await sandbox.kill()
        case "browser":
            sandbox.picture = PICTURE
        case "write":
            sandbox.contents |= {path: text.encode() for path, text in asked["files"].items()}
        case "read":
            found = sandbox.contents.get(asked["path"])
            return None if found is None else found.hex()
        case "refuse":
            sandbox.refuses |= set(asked["paths"])
        case _:
            looks = [None if each is None else sorted(each) for each in sandbox.looks]
            return {
                "looks": looks,
                "puts": sandbox.puts,
                "contents": {path: data.decode() for path, data in sandbox.contents.items()},
                "installed": sandbox.installed,
                "pictures": sandbox.pictures_taken,
            }
    return None
