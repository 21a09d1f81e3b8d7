"""As little of an editor as can ask a language server something."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from .processes import CHECKOUT

ANSWER_TIMEOUT_S = 60.0


class LanguageClient:
    """The client's end of a server over stdio."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process
        self._next_id = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read(), name="language client")

    async def ask(self, method: str, params: Any) -> Any:
        """The result of a request; raises `RuntimeError` for an error."""
        self._next_id += 1
        answer = self._waiting[self._next_id] = asyncio.get_running_loop().create_future()
        self._send({"id": self._next_id, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await answer

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    async def initialize(self, folders: Sequence[Mapping[str, str]] = ()) -> None:
        """The first request; `initialized` is the caller's to say."""
        params = {"processId": None, "rootUri": None, "capabilities": {}}
        await self.ask("initialize", {**params, "workspaceFolders": list(folders)})

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self._process.stdout
        stdout = self._process.stdout
        while header := await stdout.readline():
            length = 0
            while header.strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                header = await stdout.readline()
            self._take(json.loads(await stdout.readexactly(length)))
        for answer in self._waiting.values():
            answer.set_exception(RuntimeError("the language server has ended"))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "method" not in message:
            answer = self._waiting.pop(message["id"])
            if "error" in message:
                answer.set_exception(RuntimeError(message["error"]["message"]))
            else:
                answer.set_result(message["result"])
        elif "id" in message:
            self._send({"id": message["id"], "result": None})


@asynccontextmanager
async def language_server(
    command: Sequence[str], variables: Mapping[str, str]
) -> AsyncGenerator[LanguageClient]:
    """A server process with a client at its other end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=variables,
        cwd=CHECKOUT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=2**24,
    )
    client = LanguageClient(process)
    try:
        yield client
    finally:
        await client.close()
