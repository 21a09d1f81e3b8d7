"""A small JSON-RPC driver of a server process, which may also send what no client would."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nursery

SERVER = Path(__file__).with_name("lsp_entry.py")
WAIT_S = 20.0

VS_CODE: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {
            "documentChanges": True,
            "resourceOperations": ["create", "rename", "delete"],
        },
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    },
    "textDocument": {"codeAction": {"tagSupport": {"valueSet": [1]}}},
}
"""As much of VS Code's capabilities as the server looks at."""
BARE: dict[str, Any] = {}
"""An editor that declares nothing."""


class Editor:
    """The client's side: documents, an applyEdit that works on them and on the disk, a log."""

    def __init__(self, process: nursery.Process | asyncio.subprocess.Process, root: Path) -> None:
        self.process = process
        self.root = root
        self.received: list[dict[str, Any]] = []
        self.documents: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.answers: dict[str, Callable[[Any], Any]] = {
            "workspace/applyEdit": self._apply_edit,
            "window/showDocument": lambda params: {"success": True},
            "window/workDoneProgress/create": lambda params: None,
            "client/registerCapability": lambda params: None,
            "workspace/codeLens/refresh": lambda params: None,
            "workspace/configuration": lambda params: [None for _ in params["items"]],
        }
        self._next_id = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    # Speaking

    def raw(self, body: bytes) -> None:
        """Send a body as it is."""
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self.raw(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    async def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request; gives the whole answer, the error included."""
        self._next_id += 1
        request = self._next_id
        self.send({"id": request, "method": method, "params": params})
        return await self.answer_to(request)

    async def answer_to(self, request: int | str) -> dict[str, Any]:
        """Wait for the answer to a request."""
        return await self.wait(lambda m: m.get("id") == request and "method" not in m)

    async def command(self, command: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Execute a command; gives the whole answer."""
        params = {"command": command, "arguments": list(arguments), **more}
        return await self.ask("workspace/executeCommand", params)

    async def initialize(
        self,
        capabilities: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        folders: list[Path] | None = None,
        process_id: int | None = None,
    ) -> dict[str, Any]:
        """The handshake; gives the server's capabilities."""
        chosen = [self.root] if folders is None else folders
        answer = await self.ask(
            "initialize",
            {
                "processId": process_id,
                "rootUri": None,
                "capabilities": VS_CODE if capabilities is None else capabilities,
                "initializationOptions": options,
                "workspaceFolders": [{"uri": f.as_uri(), "name": f.name} for f in chosen],
            },
        )
        self.notify("initialized", {})
        return answer["result"]["capabilities"]

    def open(self, path: str, text: str | None = None, language: str = "plain") -> str:
        """Open a document; gives its URI."""
        uri = (self.root / path).as_uri()
        if text is None:
            text = (self.root / path).read_bytes().decode()
        self.documents[uri], self.versions[uri] = text, 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def type(self, uri: str, text: str) -> None:
        """Replace a document's text."""
        self.versions[uri] += 1
        self.documents[uri] = text
        document = {"uri": uri, "version": self.versions[uri]}
        changes = {"textDocument": document, "contentChanges": [{"text": text}]}
        self.notify("textDocument/didChange", changes)

    # Listening

    async def wait(self, wanted: Callable[[dict[str, Any]], Any], timeout_s: float = WAIT_S) -> Any:
        """The first message, of those that came already or will, of which `wanted` is true."""
        async with asyncio.timeout(timeout_s):
            seen = 0
            while True:
                for message in self.received[seen:]:
                    if wanted(message):
                        return message
                seen = len(self.received)
                assert not self._reading.done(), "the server ended"
                self._news.clear()
                await self._news.wait()

    async def wait_for_end(self, run_id: str) -> dict[str, Any]:
        """The run's last event; the client must have asked for events."""
        message = await self.wait(
            lambda m: (
                m.get("method") == "forge/event"
                and m["params"]["runId"] == run_id
                and m["params"]["event"]["type"] == "run_finished"
            )
        )
        return message["params"]["event"]

    async def run(self, command: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Execute a command that starts a run, and wait for its last event."""
        answer = await self.command(command, *arguments, **more)
        assert "result" in answer, answer
        return await self.wait_for_end(answer["result"]["runId"])

    def events(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """The events that came so far."""
        return [
            m["params"]["event"]
            for m in self.received
            if m.get("method") == "forge/event" and run_id in (None, m["params"]["runId"])
        ]

    def requests(self, method: str) -> list[Any]:
        """The params of each request or notification of that method so far."""
        return [m["params"] for m in self.received if m.get("method") == method]

    def messages(self) -> list[str]:
        """What was shown to the person."""
        return [params["message"] for params in self.requests("window/showMessage")]

    # Being an editor

    def _apply_edit(self, params: Any) -> Any:
        for uri, edits in (params["edit"].get("changes") or {}).items():
            self._edit(uri, Path(unquote(urlsplit(uri).path)), edits)
        for change in params["edit"].get("documentChanges") or ():
            uri = change["uri"] if "uri" in change else change["textDocument"]["uri"]
            place = Path(unquote(urlsplit(uri).path))
            if change.get("kind") == "create":
                assert not place.exists(), f"{place} would be truncated"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            elif change.get("kind") == "delete":
                place.unlink()
                if self.documents.pop(uri, None) is not None:
                    self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            else:
                version = change["textDocument"]["version"]
                if version is not None and version != self.versions.get(uri):
                    return {"applied": False}
                self._edit(uri, place, change["edits"])
        return {"applied": True}

    def _edit(self, uri: str, place: Path, edits: list[Any]) -> None:
        if uri in self.documents:
            self.type(uri, apply_text_edits(self.documents[uri], edits))
            return
        before = place.read_bytes().decode() if place.exists() else ""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(apply_text_edits(before, edits).encode())

    async def _read(self) -> None:
        try:
            await self._read_messages()
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)

    async def _read_messages(self) -> None:
        assert self.process.stdout
        stdout = self.process.stdout
        while header := await stdout.readline():
            length = 0
            while header.strip():
                name, _, value = header.decode().partition(":")
                if name.lower() == "content-length":
                    length = int(value)
                header = await stdout.readline()
            message = json.loads(await stdout.readexactly(length))
            if "method" in message and "id" in message:
                self._answer(message)
            self.received.append(message)
            self._news.set()

    def _answer(self, message: dict[str, Any]) -> None:
        answer = self.answers.get(message["method"])
        if answer is None:
            error = {"code": -32601, "message": "no such method"}
            self.send({"id": message["id"], "error": error})
            return
        self.send({"id": message["id"], "result": answer(message.get("params"))})

    def stop_reading(self) -> None:
        """Be an editor that hangs."""
        self._reading.cancel()

    async def leave(self) -> int:
        """Shut down and exit as an editor does; gives the exit code."""
        await self.ask("shutdown")
        self.notify("exit")
        return await self.ended()

    async def ended(self, timeout_s: float = 5.0) -> int:
        """Wait for the process's end."""
        async with asyncio.timeout(timeout_s):
            return await self.process.wait()

    async def close(self) -> None:
        """Leave nothing running."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)
        assert self.process.stdin
        self.process.stdin.close()


def apply_text_edits(text: str, edits: list[Any], encoding: str = "utf-16") -> str:
    """`text` after LSP edits, as the specification has it; written anew, not with our code."""
    unit = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
    codec, width = unit[encoding]
    starts = [0]
    position = 0
    while position < len(text):
        if text[position] == "\r" and text[position + 1 : position + 2] == "\n":
            position += 1
        if text[position] in "\r\n":
            starts.append(position + 1)
        position += 1

    def offset(at: dict[str, int]) -> int:
        if at["line"] >= len(starts):
            return len(text)
        start = starts[at["line"]]
        end = starts[at["line"] + 1] if at["line"] + 1 < len(starts) else len(text)
        line = text[start:end].rstrip("\r\n")
        encoded = line.encode(codec)[: at["character"] * width]
        return start + len(encoded.decode(codec))

    spans = [
        (offset(e["range"]["start"]), offset(e["range"]["end"]), index, e["newText"])
        for index, e in enumerate(edits)
    ]
    for start, end, _, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


@asynccontextmanager
async def editor(
    root: Path, home: Path, entry: Path = SERVER, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Editor]:
    """A server process with an editor at its other end."""
    process = await nursery.start(
        entry, environment=server_environment(home, **environment or {}), limit=2**24
    )
    running = Editor(process, root)
    try:
        yield running
    finally:
        await running.close()


def server_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment without the developer's own keys and settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FORGE_", "ANTHROPIC_"))
    }
    return {
        **kept,
        "FORGE_HOME": str(home),
        "FORGE_MODEL_PROVIDER": "demo",
        "FORGE_MODEL_DEMO_PACE_S": "0",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        **more,
    }
