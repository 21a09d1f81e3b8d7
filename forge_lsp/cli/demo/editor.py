"""A plain modern editor, without a plugin and without a screen."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import forge_lsp
from forge_lsp.cli.demo.connection import GONE, Connection, ServerRefused, Unanswerable
from forge_lsp.cli.demo.workspace_edits import EditRefused, carry_out

START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 5.0
_NO_MORE = ""

CAPABILITIES: Mapping[str, Any] = {
    "general": {"positionEncodings": ["utf-16", "utf-8"]},
    "window": {
        "workDoneProgress": True,
        "showDocument": {"support": True},
        "showMessage": {},
    },
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]},
        "configuration": True,
        "workspaceFolders": True,
        "executeCommand": {},
    },
    "textDocument": {"synchronization": {"didSave": True}},
}


class Editor:
    """One folder, open in an editor whose language server is forge-lsp."""

    def __init__(self, folder: Path, server: asyncio.subprocess.Process) -> None:
        assert server.stdout is not None
        assert server.stdin is not None
        self.folder = folder
        self.server = server
        self._notes: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.connection = Connection(server.stdout, server.stdin, self._answer, self._hear)
        self._encoding = "utf-16"

    async def initialize(self) -> None:
        """The handshake; raises `ServerRefused`."""
        uri = self.folder.as_uri()
        params = {
            "processId": os.getpid(),
            "clientInfo": {"name": "forge-lsp demo", "version": forge_lsp.__version__},
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": self.folder.name}],
            "capabilities": CAPABILITIES,
            "initializationOptions": {"events": True},
        }
        result = await self.connection.request("initialize", params)
        self._encoding = result["capabilities"].get("positionEncoding", "utf-16")
        self.connection.notify("initialized", {})

    async def execute(self, command: str, argument: Mapping[str, Any] | None = None) -> Any:
        """Run a command of the server's; raises `ServerRefused` with its reason."""
        params = {"command": command, "arguments": [argument or {}]}
        return await self.connection.request("workspace/executeCommand", params)

    async def next_note(self) -> tuple[str, Any]:
        """The next notification: its method and parameters, in the order that they came.

        Raises `ServerRefused` once the server is gone.
        """
        note = await self._notes.get()
        if note[0] == _NO_MORE:
            raise ServerRefused(GONE)
        return note

    async def attend(self) -> None:
        """Read what the server says, until it is gone."""
        try:
            await self.connection.attend()
        finally:
            self._notes.put_nowait((_NO_MORE, None))

    async def shut_down(self) -> None:
        """Say goodbye as the protocol wants it."""
        await self.connection.request("shutdown", None)
        self.connection.notify("exit", None)

    def _hear(self, method: str, params: Any) -> None:
        self._notes.put_nowait((method, params))

    async def _answer(self, method: str, params: Any) -> Any:
        match method:
            case "workspace/applyEdit":
                return self._apply(params["edit"])
            case "workspace/configuration":
                return [None for _ in params["items"]]
            case "workspace/workspaceFolders":
                return [{"uri": self.folder.as_uri(), "name": self.folder.name}]
            case "window/showDocument":
                return {"success": True}
            case (
                "window/workDoneProgress/create"
                | "window/showMessageRequest"
                | "client/registerCapability"
                | "client/unregisterCapability"
            ):
                return None
            case _:
                raise Unanswerable

    def _apply(self, edit: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            carry_out(edit, self.folder, self._encoding)
        except (EditRefused, OSError, UnicodeDecodeError) as error:
            return {"applied": False, "failureReason": str(error)}
        return {"applied": True}


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Editor]:
    """An editor on `folder` with its server started; nothing is left running afterwards.

    Raises `ServerRefused` where the server doesn't start, with its last word, or doesn't end.
    """
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forge_lsp", "lsp"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Ctrl-C is for us alone: we then end the server in order.
        start_new_session=True,
    )
    assert server.stderr is not None
    last_line: deque[str] = deque(maxlen=1)
    editor = Editor(folder, server)
    attending = (
        asyncio.create_task(editor.attend(), name="demo-connection"),
        asyncio.create_task(_keep(server.stderr, last_line.append), name="demo-stderr"),
    )
    try:
        await _initialized(editor, last_line)
        yield editor
    except BaseException:
        # What is under way matters more than how the server ends.
        with suppress(ServerRefused):
            await _end(editor)
        raise
    else:
        await _end(editor)
    finally:
        for task in attending:
            task.cancel()
        await asyncio.gather(*attending, return_exceptions=True)


async def _initialized(editor: Editor, last_line: deque[str]) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await editor.initialize()
    except (TimeoutError, ServerRefused) as error:
        said = last_line[-1].strip() if last_line else ""
        raise ServerRefused(f"The language server did not start: {said or error}.") from error


async def _end(editor: Editor) -> None:
    """Ask it to end, and wait; a server that lingers is killed with all that it started.

    Raises `ServerRefused` unless it ended as the protocol wants it.
    """
    server = editor.server
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            await editor.shut_down()
            code = await server.wait()
    except TimeoutError as error:
        raise ServerRefused("The language server did not end when it was asked to.") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
    if code:
        raise ServerRefused(f"The language server ended with {code} instead of 0.")


async def _keep(stream: asyncio.StreamReader, keep: Callable[[str], None]) -> None:
    with suppress(ValueError):
        while line := await stream.readline():
            keep(line.decode(errors="replace"))
