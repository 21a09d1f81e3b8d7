"""One editor's connection: a pygls server, wired to a session."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError
from pygls.lsp.server import LanguageServer

from forge_lsp import __version__
from forge_lsp.actions.late import Late
from forge_lsp.errors import ForgeError
from forge_lsp.lsp.actions import KINDS, code_actions
from forge_lsp.lsp.client import Client
from forge_lsp.lsp.commands import COMMANDS, execute
from forge_lsp.lsp.content import SCHEME
from forge_lsp.lsp.documents import ExactWorkspace
from forge_lsp.lsp.lenses import code_lenses
from forge_lsp.lsp.presence import announce
from forge_lsp.lsp.protocol import ForgeProtocol, is_parse_error, refusal
from forge_lsp.lsp.saves import Saves
from forge_lsp.lsp.session import OpenEngine, Session

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.settings import Places, Settings

log = logging.getLogger(__name__)

WATCHED = "**/*"


class Door(Protocol):
    """The HTTP API as this edge knows it."""

    async def open(self, settings: "Settings", places: "Places") -> str:
        """Start to listen; gives the URL, empty where the settings leave the API out."""
        ...

    async def close(self) -> None:
        """Stop; what never opened is closed already."""
        ...


MountHttp = Callable[[Late["Engine"]], Door]


class ForgeServer(LanguageServer):
    """pygls' server with our protocol, and without its pop-ups of exceptions."""

    def __init__(self) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - pygls' *args.
            "forge-lsp", __version__, protocol_cls=ForgeProtocol
        )

    @property
    def forge_protocol(self) -> ForgeProtocol:
        """The protocol by its own type."""
        return cast("ForgeProtocol", self.protocol)

    def report_server_error(self, error: Exception, source: object) -> None:
        """Faults go to the log; refusals were answered, and are none."""
        del source
        if is_parse_error(error):
            self.forge_protocol.tell_parse_error()
        elif isinstance(error, JsonRpcInternalError):
            # pygls keeps the traceback as lines in the error's data.
            log.error("a handler failed: %s %s", error.message, error.data)
        elif not isinstance(error, JsonRpcException):
            log.error("%s in the language server", type(error).__name__, exc_info=error)


class Connection:
    """A server and its session, from the first message to the last."""

    def __init__(
        self,
        open_engine: OpenEngine,
        mount_http: MountHttp | None,
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        self.server = ForgeServer()
        self.ended = self.server.forge_protocol.ended
        self.session = Session(
            Client(self.server),
            lambda: cast("ExactWorkspace", self.server.workspace),
            open_engine,
            drained,
        )
        self._saves = Saves(self.session)
        self._mount_http = mount_http
        self._door: Door | None = None
        self._announced: Path | None = None
        self._parent: int | None = None
        self._closing: asyncio.Task[None] | None = None
        self._register()

    @property
    def exit_code(self) -> int:
        """0 where the client asked for the end first."""
        return 0 if self.server.forge_protocol.has_shut_down else 1

    async def close(self) -> None:
        """End everything; begun once, and waited for by whoever asks."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="close the connection")
        await asyncio.shield(self._closing)

    def _register(self) -> None:
        protocol = self.server.forge_protocol
        protocol.commands = tuple(COMMANDS)
        protocol.execute = lambda params: execute(self.session, params)
        protocol.cancel_progress = self._cancel_progress
        options = types.CodeActionOptions(code_action_kinds=list(KINDS))
        self._on(types.INITIALIZE, self._initialize)
        self._on(types.INITIALIZED, self._initialized)
        self._on(types.SHUTDOWN, self._shut_down)
        self._on(types.WORKSPACE_DID_CHANGE_CONFIGURATION, self._configuration_changed)
        self._on(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, self._watched)
        self._on(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, self._folders_changed)
        self._on(types.TEXT_DOCUMENT_DID_OPEN, self._touched)
        self._on(types.TEXT_DOCUMENT_DID_CHANGE, self._touched)
        self._on(types.TEXT_DOCUMENT_DID_CLOSE, self._closed)
        self._on(types.TEXT_DOCUMENT_DID_SAVE, self._saved)
        self._on(types.TEXT_DOCUMENT_CODE_ACTION, self._code_actions, options)
        self._on(types.TEXT_DOCUMENT_CODE_LENS, self._code_lenses)
        self._on(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, self._content)

    def _on(self, method: str, handler: Callable[[Any], Any], options: object = None) -> None:
        # pygls writes its marks onto handlers, which bound methods don't take.
        self.server.feature(method, options)(partial(handler))

    def _initialize(self, params: types.InitializeParams) -> None:
        self.session.configuration.start_with(params.initialization_options)
        if params.process_id is not None:
            self._watch_parent(params.process_id)

    def _initialized(self, params: types.InitializedParams) -> None:
        del params
        if self.session.client.registers_watched_files:
            self.session.tasks.start(self.session.client.watch_files(WATCHED), "watch files")
        if self.session.client.registers_content:
            self.session.tasks.start(self.session.client.offer_content(SCHEME), "offer content")
        if self._mount_http is not None:
            self.session.tasks.start(self._mount(self._mount_http), "mount HTTP")

    def _shut_down(self, params: None) -> None:
        """Begin at once: editors wait two seconds at most, some of them not at all."""
        del params
        self.session.tasks.start(self.close(), "shut down")

    def _configuration_changed(self, params: types.DidChangeConfigurationParams) -> None:
        self.session.configuration.push(params.settings)
        self.session.tasks.start(self._tell_of_new_settings(), "look at the new settings")

    def _watched(self, params: types.DidChangeWatchedFilesParams) -> None:
        self._saves.changed_outside(params.changes)

    def _folders_changed(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        removed = [folder.uri for folder in params.event.removed]
        self.session.tasks.start(self.session.outside.leave(removed), "leave folders")

    def _touched(
        self, params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams
    ) -> None:
        self.session.active_uri = params.text_document.uri
        self.session.changes.tell()
        self._saves.told(params.text_document.uri)

    def _closed(self, params: types.DidCloseTextDocumentParams) -> None:
        if self.session.active_uri == params.text_document.uri:
            self.session.active_uri = None
        self.session.changes.tell()
        self._saves.told(params.text_document.uri)

    def _saved(self, params: types.DidSaveTextDocumentParams) -> None:
        self._saves.saved(params.text_document.uri)

    def _code_actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        self.session.active_uri = params.text_document.uri
        return code_actions(self.session, params)

    def _code_lenses(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        return code_lenses(self.session, params)

    async def _content(
        self, params: types.TextDocumentContentParams
    ) -> types.TextDocumentContentResult:
        try:
            return types.TextDocumentContentResult(await self.session.contents.read(params.uri))
        except ForgeError as error:
            raise refusal(error) from error

    def _cancel_progress(self, token: types.ProgressToken) -> None:
        run_id = self.session.watcher.run_of(token)
        if run_id is not None:
            self.session.tasks.start(self.session.cancel(run_id), f"cancel {run_id}")

    async def _tell_of_new_settings(self) -> None:
        folder = next(iter(self.session.folders), None)
        if await self.session.configuration.has_changed(folder):
            self.session.client.show("Restart forge-lsp to take over the changed settings.")

    async def _mount(self, mount: MountHttp) -> None:
        door = mount(self.session.late)
        try:
            self._door = door
            folders = list(self.session.folders)
            configuration = self.session.configuration
            settings, places = await configuration.load_for_http(next(iter(folders), None))
            self.session.url = await door.open(settings, places) or None
            if self.session.url is None:
                return
            self._announced = await asyncio.to_thread(
                announce, places.state, self.session.url, folders
            )
        except ForgeError as error:
            self.session.client.show_failure(error)
        except OSError as error:
            log.warning("the HTTP API could not be announced: %s", error)

    def _watch_parent(self, process_id: int) -> None:
        """The editor may die without a word."""
        try:
            self._parent = os.pidfd_open(process_id)
        except OSError:
            # A client in another container names a process that isn't ours to see.
            log.info("the client's process can't be watched")
            return
        asyncio.get_running_loop().add_reader(self._parent, self.ended.set)

    async def _close(self) -> None:
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)
            os.close(self._parent)
        if self._announced is not None:
            self._announced.unlink(missing_ok=True)
        if self._door is not None:
            await self._door.close()
        await self.session.close()
