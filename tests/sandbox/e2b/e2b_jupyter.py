"""What runs Python inside a machine of E2B's code interpreter, on its port 49999.

After e2b-dev/code-interpreter, template/server. Contexts are real processes of Python.
"""

import asyncio
import json
import secrets
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

from aiohttp import web
from e2b_machine import Machine
from e2b_wire import failure

PORT = "49999"
KERNEL = Path(__file__).parent / "kernel.py"
MAX_LINE_BYTES = 1 << 28


class Jupyter:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.contexts: dict[str, Process] = {}
        self.executed: list[dict[str, Any]] = []
        """The body of every request to run something."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        _, first, *rest = request.path.split("/")
        match (request.method, first, rest):
            case ("POST", "execute", []):
                return await self._execute(request)
            case ("POST", "contexts", []):
                return await self._create(request)
            case ("DELETE", "contexts", [context_id]):
                return await self._remove(context_id)
            case _:
                return failure(404, f"the double knows no {request.method} {request.path}")

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked == {"language": "python"}
        context_id = secrets.token_hex(8)
        kernel = await asyncio.create_subprocess_exec(
            sys.executable,
            str(KERNEL),
            cwd=self._machine.home,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            limit=MAX_LINE_BYTES,
        )
        self._machine.adopt(kernel)
        self.contexts[context_id] = kernel
        home = str(self._machine.home)
        return web.json_response({"id": context_id, "language": "python", "cwd": home})

    async def _remove(self, context_id: str) -> web.Response:
        kernel = self.contexts.pop(context_id, None)
        if kernel is None:
            return failure(404, f"Context {context_id} not found")
        if kernel.returncode is None:
            kernel.kill()
        await kernel.wait()
        return web.Response(status=204)

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.executed.append(asked)
        kernel = self.contexts.get(asked["context_id"])
        if kernel is None:
            return failure(404, f"Context {asked['context_id']} not found")
        assert kernel.stdin is not None
        assert kernel.stdout is not None
        kernel.stdin.write(json.dumps({"code": asked["code"]}).encode() + b"\n")
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        try:
            while line := await kernel.stdout.readline():
                if json.loads(line).get("type") == "end":
                    return answer
                await answer.write(line)
        except ConnectionError:
            # Whoever stops listening doesn't end the code.
            return answer
        if request.transport is not None:
            request.transport.abort()
        return answer
