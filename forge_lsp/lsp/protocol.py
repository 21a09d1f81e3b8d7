"""What pygls' protocol lacks: an answer to everything, once, without a traceback.

Every override names what goes wrong without it.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from forge_lsp.errors import ForgeError, InvalidRequest
from forge_lsp.lsp.content import SCHEME
from forge_lsp.lsp.documents import ExactWorkspace
from forge_lsp.runs import INTERNAL_ERROR

if TYPE_CHECKING:
    from cattrs import Converter
    from pygls.lsp.server import LanguageServer

log = logging.getLogger(__name__)

Execute = Callable[[types.ExecuteCommandParams], Awaitable[Any]]

NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803


class ForgeProtocol(LanguageServerProtocol):
    """The protocol of one connection."""

    def __init__(self, server: "LanguageServer", converter: "Converter") -> None:
        super().__init__(server, converter)
        self.ended = asyncio.Event()
        """The client said `exit`, or `shutdown` for the second time."""
        self.commands: Sequence[str] = ()
        self.execute: Execute | None = None
        self.cancel_progress: Callable[[types.ProgressToken], None] | None = None

    @property
    def has_shut_down(self) -> bool:
        """Whether the client asked for it, so that an exit is a clean one."""
        return self._shutdown

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Nothing yet: json calls this for inner objects, too, and one of those may well hold
        a "jsonrpc" of its own."""
        return data

    def handle_message(self, message: Any) -> None:
        """Answer whatever comes: pygls leaves requests that it can't read without an answer."""
        fields = cast("dict[str, Any]", message) if isinstance(message, dict) else {}
        if fields.get("jsonrpc") != self.VERSION:
            self._refuse(fields.get("id"), "This is no message of JSON-RPC 2.0.")
            return
        if fields.get("method") is None and not ("result" in fields or "error" in fields):
            self._refuse(fields.get("id"), "This is neither a request nor an answer.")
            return
        if "method" in fields and not self._is_welcome(fields):
            return
        fields.setdefault("params", None)
        try:
            structured = super().structure_message(fields)
        except JsonRpcException:
            self._answer_unreadable(fields)
            return
        super().handle_message(cast("Any", structured))

    def tell_parse_error(self) -> None:
        """Answer a body that isn't JSON."""
        self._refuse(None, "This is no JSON.", types.ErrorCodes.ParseError)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """With our own documents and commands."""
        result = yield from super().lsp_initialize(params)
        self._workspace = ExactWorkspace.like(self.workspace)
        result.capabilities.execute_command_provider = types.ExecuteCommandOptions(
            commands=self.commands, work_done_progress=True
        )
        _offer_content(result.capabilities, params.capabilities)
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Generator[Any, Any, None]:
        """pygls cancels what is in flight while it iterates over it, and so fails."""
        for message_id, future in tuple(self._request_futures.items()):
            if message_id != self.msg_id:
                future.cancel()
        yield from super().lsp_shutdown(*args)  # pyright: ignore[reportUnknownMemberType]

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Generator[Any, Any, None]:
        """pygls leaves the process from within a callback; ours has things to close first."""
        del args
        self.ended.set()
        yield from ()

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """A coroutine, which unlike pygls' generator sees the token and a cancel."""
        if self.execute is None:
            raise JsonRpcException("The server isn't ready yet.", NOT_INITIALIZED)
        try:
            return await self.execute(params)
        except ForgeError as error:
            raise refusal(error) from error

    @lsp_method(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def lsp_work_done_progress_cancel(
        self, params: types.WorkDoneProgressCancelParams
    ) -> Generator[Any, Any, None]:
        """Runs own their tokens; pygls' own table of them only grows."""
        if self.cancel_progress is not None:
            self.cancel_progress(params.token)
        yield from ()

    def _send_response(
        self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        if error is not None and error.code == types.ErrorCodes.InternalError:
            # pygls puts the exception and its traceback here.
            error = types.ResponseError(error.code, INTERNAL_ERROR)
        super()._send_response(msg_id, result, error)

    def _handle_response(
        self, msg_id: Any, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        """pygls fails at an answer for which nobody waits any more."""
        future = self._request_futures.get(msg_id)
        if future is not None and future.done():
            del self._request_futures[msg_id]
            return
        super()._handle_response(msg_id, result, error)

    def _is_welcome(self, fields: dict[str, Any]) -> bool:
        """Whether a request or notification comes at its time; else it is answered here."""
        method = fields["method"]
        if self._shutdown and method != types.EXIT:
            self._refuse(fields.get("id"), "The server was told to shut down.")
            if method == types.SHUTDOWN:
                self.ended.set()
            return False
        if self._workspace is None and method not in (types.INITIALIZE, types.EXIT):
            why = "The server is not initialized yet."
            self._refuse(fields.get("id"), why, NOT_INITIALIZED)
            return False
        if self._workspace is not None and method == types.INITIALIZE:
            self._refuse(fields.get("id"), "The server is initialized already.")
            return False
        return True

    def _answer_unreadable(self, fields: dict[str, Any]) -> None:
        method = fields.get("method")
        if method is None:
            # An answer to us: whoever waits for it must hear that nothing good came.
            error = types.ResponseError(types.ErrorCodes.InvalidRequest, "unreadable answer")
            self._handle_response(fields["id"], None, error)
        elif "id" in fields:
            what = f"The parameters of {method!r:.100} can't be read."
            self._refuse(fields["id"], what, types.ErrorCodes.InvalidParams)
        else:
            log.warning("a notification %.100r can't be read", method)

    def _refuse(
        self, message_id: Any, why: str, code: int = types.ErrorCodes.InvalidRequest
    ) -> None:
        """Answer with an error; nothing where what came was a notification."""
        known = message_id if isinstance(message_id, int | str) else None
        if known is None and code == types.ErrorCodes.InvalidParams:
            return
        self._send_data(
            types.ResponseErrorMessage(
                id=known, jsonrpc=self.VERSION, error=types.ResponseError(code, why)
            )
        )


def _offer_content(ours: types.ServerCapabilities, theirs: types.ClientCapabilities) -> None:
    """Offer virtual documents to a client that can't be told of them later; pygls knows the
    option, and never gives it."""
    content = theirs.workspace and theirs.workspace.text_document_content
    if content and not content.dynamic_registration:
        ours.workspace = ours.workspace or types.WorkspaceOptions()
        ours.workspace.text_document_content = types.TextDocumentContentOptions(schemes=[SCHEME])


def refusal(error: ForgeError) -> JsonRpcException:
    """A failure as the answer to a request."""
    is_ours = isinstance(error, InvalidRequest)
    code = types.ErrorCodes.InvalidParams.value if is_ours else REQUEST_FAILED
    return JsonRpcException(error.for_people(), code)


def is_parse_error(error: Exception) -> bool:
    """Whether what went wrong is the client's JSON."""
    return isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
