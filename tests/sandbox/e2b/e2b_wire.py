"""The Connect protocol in its JSON form over HTTP/1.1, and faults that a test asks for.

https://connectrpc.com/docs/protocol: a unary call is a JSON body, a stream is of frames with a
flag, four bytes of length, and JSON.
"""

import asyncio
import json
import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

END_OF_STREAM = 2
STATUSES = {"invalid_argument": 400, "unauthenticated": 401, "not_found": 404, "internal": 500}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RpcError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Fault:
    """What befalls the next `times` requests whose `METHOD path` matches `where`."""

    where: str
    kind: Literal["status", "drop", "drop_answer", "drop_later", "slow"]
    times: int = 1
    status: int = 502
    message: str = ""
    seconds: float = 0
    retry_after_s: int | None = None
    met: int = 0


class Faults:
    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.asked: list[str] = []
        """Every request, as `METHOD path`."""

    def add(self, fault: Fault) -> Fault:
        self.waiting.append(fault)
        return fault

    def count(self, where: str) -> int:
        return len([each for each in self.asked if re.fullmatch(where, each)])

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        line = f"{request.method} {request.path}"
        self.asked.append(line)
        fault = next((each for each in self.waiting if re.fullmatch(each.where, line)), None)
        if fault is None:
            return await handler(request)
        fault.met += 1
        if fault.met >= fault.times:
            self.waiting.remove(fault)
        if fault.kind == "status":
            refused = failure(fault.status, fault.message)
            if fault.retry_after_s is not None:
                refused.headers["Retry-After"] = str(fault.retry_after_s)
            return refused
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return await handler(request)
        assert request.transport is not None
        if fault.kind == "drop_later":
            asyncio.get_running_loop().call_later(fault.seconds, request.transport.abort)
            return await handler(request)
        if fault.kind == "drop_answer":
            await handler(request)
        request.transport.abort()
        return web.Response()


def failure(status: int, message: str, **more: Any) -> web.Response:
    return web.json_response({"code": status, "message": message, **more}, status=status)


def unary(
    call: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        try:
            return web.json_response(await call(await request.json()))
        except RpcError as error:
            return web.json_response(
                {"code": error.code, "message": str(error)}, status=STATUSES[error.code]
            )

    return handle


async def stream_request(request: web.Request) -> dict[str, Any]:
    assert request.content_type == "application/connect+json"
    body = await request.read()
    flag, length = struct.unpack(">BI", body[:5])
    assert flag == 0
    return json.loads(body[5 : 5 + length])


def frame(message: dict[str, Any], flag: int = 0) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">BI", flag, len(body)) + body


async def open_stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/connect+json"})
    await answer.prepare(request)
    return answer


async def refuse_stream(request: web.Request, error: RpcError) -> web.StreamResponse:
    answer = await open_stream(request)
    end = {"error": {"code": error.code, "message": str(error)}}
    await answer.write(frame(end, END_OF_STREAM))
    return answer
