"""A plain language client over stdio, for what no real editor is needed for."""

import asyncio
import errno
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import LANGUAGE_SERVER
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 120.0
RUN_TIMEOUT_S = 120.0
END_TIMEOUT_S = 5.0

_CAPABILITIES = types.ClientCapabilities(
    workspace=types.WorkspaceClientCapabilities(
        apply_edit=True,
        workspace_edit=types.WorkspaceEditClientCapabilities(
            document_changes=True,
            resource_operations=[
                types.ResourceOperationKind.Create,
                types.ResourceOperationKind.Delete,
            ],
        ),
    ),
    window=types.WindowClientCapabilities(work_done_progress=True),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a person gets to know of a run."""

    last: Any
    """Its last event."""
    events: Sequence[Any]
    messages: Sequence[str]
    """Those that were shown from its start on."""


class Editor:
    """One folder and its language server; edits go to the disk at once."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.process = process
        self.events: list[tuple[str, Any]] = []
        """Run id and event, as they came."""
        self.messages: list[str] = []
        self.disk: Callable[[], AbstractContextManager[None]] = nullcontext
        """What its writing happens in."""
        self._came = asyncio.Event()
        self._client = LanguageClient("forge-lsp end-to-end tests", "1")
        # pygls marks the functions that it is given, which methods don't allow.
        self._client.feature("forge/event")(partial(self._hear))
        self._client.feature(types.WINDOW_SHOW_MESSAGE)(partial(self._show))
        self._client.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)(partial(_take))
        self._client.feature(types.PROGRESS)(partial(_take))
        self._client.feature(types.WORKSPACE_APPLY_EDIT)(partial(self._apply))
        assert process.stdin is not None
        self._client.protocol.set_writer(process.stdin)

    async def attend(self) -> None:
        """Read what the server says, until its end."""
        assert self.process.stdout is not None
        client = self._client
        with suppress(asyncio.IncompleteReadError):
            await run_async(
                threading.Event(),
                self.process.stdout,
                client.protocol,
                log,
                client.report_server_error,
            )

    async def initialize(self, folders: Sequence[Path]) -> None:
        """The handshake."""
        params = types.InitializeParams(
            capabilities=_CAPABILITIES,
            workspace_folders=[types.WorkspaceFolder(each.as_uri(), each.name) for each in folders],
            initialization_options={"events": True},
        )
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._client.initialize_async(params)
        self._client.initialized(types.InitializedParams())

    async def execute(self, command: str, **arguments: object) -> Any:
        """What the command answers."""
        params = types.ExecuteCommandParams(command, arguments=[arguments])
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self._client.workspace_execute_command_async(params)

    async def start(self, command: str, **arguments: object) -> str:
        """The id of the run that the command starts."""
        return (await self.execute(command, **arguments))["runId"]

    async def run(self, command: str, **arguments: object) -> Sequence[Any]:
        """All events of the run that the command starts, which must go well."""
        told = await self.told(command, **arguments)
        assert told.last.outcome == "completed", (told.last, self.messages)
        return told.events

    async def told(self, command: str, **arguments: object) -> Told:
        """What becomes of the run that the command starts, well or not."""
        before = len(self.messages)
        run_id = await self.start(command, **arguments)
        last = await self.wait_for(run_id, lambda event: event.type == "run_finished")
        # What is shown after the last event has come once the server has answered again.
        await self.execute("forge.runs")
        told = [event for run, event in self.events if run == run_id]
        return Told(last, told, self.messages[before:])

    async def refusal(self, command: str, **arguments: object) -> str:
        """Why the command is refused, which the person is shown once in the same words."""
        before = len(self.messages)
        with pytest.raises(JsonRpcException) as refused:
            await self.execute(command, **arguments)
        assert self.messages[before:] == [refused.value.message], self.messages
        return refused.value.message

    async def wait_for(self, run_id: str, is_wanted: Callable[[Any], bool]) -> Any:
        """The first event of the run that is wanted, once it has come."""
        async with asyncio.timeout(RUN_TIMEOUT_S):
            while True:
                for run, event in self.events:
                    if run == run_id and is_wanted(event):
                        return event
                self._came.clear()
                await self._came.wait()

    async def message(self, number: int) -> str:
        """The message of that number, counted from 0, once it has come."""
        async with asyncio.timeout(RUN_TIMEOUT_S):
            while len(self.messages) <= number:
                self._came.clear()
                await self._came.wait()
        return self.messages[number]

    async def shut_down(self) -> None:
        """Say goodbye as the protocol wants it, and see that it works."""
        async with asyncio.timeout(END_TIMEOUT_S):
            await self._client.shutdown_async(None)
            self._client.exit(None)
            await self.process.wait()

    def _hear(self, params: Any) -> None:
        self.events.append((params.runId, params.event))
        self._came.set()

    def _show(self, params: types.ShowMessageParams) -> None:
        self.messages.append(params.message)
        self._came.set()

    def _apply(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        try:
            with self.disk():
                return self._make(params)
        except OSError as error:
            return types.ApplyWorkspaceEditResult(applied=False, failure_reason=error.strerror)

    def _make(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        for change in params.edit.document_changes or ():
            match change:
                case types.CreateFile(uri=uri) if _place(uri).exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                case types.CreateFile():
                    # It comes with its text, so that nobody sees it half-written.
                    pass
                case types.DeleteFile(uri=uri):
                    _place(uri).unlink()
                case types.TextDocumentEdit(text_document=document, edits=edits):
                    _edit(_place(document.uri), edits)
                case _:
                    return types.ApplyWorkspaceEditResult(applied=False)
        return types.ApplyWorkspaceEditResult(applied=True)


@asynccontextmanager
async def opened(
    folder: Path, home: Home, *arguments: str, **settings: str
) -> AsyncGenerator[Editor]:
    """An editor on `folder`; its server is gone afterwards, whatever happens."""
    command = (*LANGUAGE_SERVER, *arguments)
    async with opened_by(command, [folder], home, settings) as editor:
        yield editor


@asynccontextmanager
async def opened_by(
    command: Sequence[str], folders: Sequence[Path], home: Home, settings: Mapping[str, str]
) -> AsyncGenerator[Editor]:
    """The same for a server that is started in another way, and for more folders than one."""
    folder = folders[0]
    with (home.folder / "server.log").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=home.environment(**settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    editor = Editor(folder, process)
    attending = asyncio.create_task(editor.attend(), name="read from the server")
    try:
        await editor.initialize(folders)
        yield editor
        if process.returncode is None:
            family = await asyncio.to_thread(hold_family, process.pid)
            await editor.shut_down()
            assert await asyncio.to_thread(left_after, family, END_TIMEOUT_S) == []
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)


def _take(params: object) -> None:
    """What this editor shows nobody."""
    del params


def _edit(place: Path, edits: Sequence[Any]) -> None:
    before = place.read_bytes().decode() if place.exists() else ""
    document = TextDocument(place.as_uri(), before, version=0)
    # From the end on, so that the places of the edits before stay as they were meant.
    for edit in sorted(edits, key=lambda each: _start(each.range), reverse=True):
        document.apply_change(
            types.TextDocumentContentChangePartial(text=edit.new_text, range=edit.range)
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.aside")
    try:
        aside.write_bytes(document.source.encode())
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


def _start(place: types.Range) -> tuple[int, int]:
    return place.start.line, place.start.character


def _place(uri: str) -> Path:
    place = to_fs_path(uri)
    assert place is not None
    return Path(place)
