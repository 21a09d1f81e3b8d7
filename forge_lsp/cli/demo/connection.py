"""The base protocol: JSON-RPC over a child's stdin and stdout, as an editor speaks it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from forge_lsp.errors import ForgeError

METHOD_NOT_FOUND = -32601
GONE = "The language server went away."

Answer = Callable[[str, Any], Awaitable[Any]]
"""Answers a request of the server's; raises `Unanswerable` for one that it doesn't know."""
Hear = Callable[[str, Any], None]
"""Takes a notification."""


class Unanswerable(Exception):
    """A request that this client has no answer for."""


class ServerRefused(ForgeError):
    """The server answered a request with an error, or went away."""

    code = "server_refused"
    remedy = "Its log tells more; `forge-lsp doctor` shows what may be missing."


class Connection:
    """One language server at the other end of two pipes."""

    def __init__(
        self, output: asyncio.StreamReader, into: asyncio.StreamWriter, answer: Answer, hear: Hear
    ) -> None:
        self._output = output
        self._into = into
        self._answer = answer
        self._hear = hear
        self._next_id = 1
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._is_gone = False

    async def attend(self) -> None:
        """Read until the server closes its end; requests that still wait fail then."""
        try:
            while (message := await self._read()) is not None:
                self._take(message)
        finally:
            self._is_gone = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ServerRefused(GONE))
            for task in self._answering:
                task.cancel()

    async def request(self, method: str, params: Any) -> Any:
        """Ask and wait; raises `ServerRefused` with what the server said."""
        if self._is_gone:
            raise ServerRefused(GONE)
        number = self._next_id
        self._next_id += 1
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        try:
            return await future
        finally:
            del self._waiting[number]

    def notify(self, method: str, params: Any) -> None:
        """Tell, without waiting."""
        self._send({"method": method, "params": params})

    def _take(self, message: Mapping[str, Any]) -> None:
        if "method" not in message:
            self._settle(message)
        elif "id" in message:
            task = asyncio.create_task(self._reply(message), name=f"answer {message['method']}")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._hear(message["method"], message.get("params"))

    def _settle(self, message: Mapping[str, Any]) -> None:
        future = self._waiting.get(message.get("id", 0))
        if future is None or future.done():
            return
        if error := message.get("error"):
            future.set_exception(ServerRefused(str(error["message"]), remedy=""))
        else:
            future.set_result(message.get("result"))

    async def _reply(self, message: Mapping[str, Any]) -> None:
        method = message["method"]
        try:
            result = await self._answer(method, message.get("params"))
        except Unanswerable:
            error = {"code": METHOD_NOT_FOUND, "message": f"{method} is unknown here."}
            self._send({"id": message["id"], "error": error})
        else:
            self._send({"id": message["id"], "result": result})

    def _send(self, fields: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        self._into.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> Mapping[str, Any] | None:
        length = 0
        try:
            while (line := await self._output.readuntil(b"\n")).strip():
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length":
                    length = int(value)
            return json.loads(await self._output.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
