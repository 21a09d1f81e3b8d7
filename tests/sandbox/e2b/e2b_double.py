"""A double of E2B on the loopback interface: its control plane, and the gateway to its sandboxes.

The real SDK talks to it over real sockets; sandboxes are folders, in which real programs run.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from e2b_builds import Builds
from e2b_envd import Envd
from e2b_jupyter import PORT as JUPYTER_PORT
from e2b_jupyter import Jupyter
from e2b_machine import Machine, Template
from e2b_wire import Fault, Faults, failure

DOMAIN = "e2b.test"
ENVD_PORT = "49983"
ENVD_VERSION = "0.6.8"
MAX_TIMEOUT_S = 3600
PAGE = 2
"""Sandboxes that one page of a list holds."""


@dataclass
class DoubleSandbox:
    id: str
    body: dict[str, Any]
    """What it was asked for with."""
    machine: Machine
    envd: Envd
    jupyter: Jupyter
    token: str
    ends_at: float = 0
    state: str = "running"
    timer: asyncio.TimerHandle | None = None
    timeouts: list[int] = field(default_factory=list)
    """Every lifetime that it was given, in seconds."""


class E2bDouble:
    def __init__(self, root: Path) -> None:
        self.key = f"e2b_{secrets.token_hex(20)}"
        self.url = ""
        self.gateway = ""
        self.faults = Faults()
        self.previewed: list[dict[str, str]] = []
        """The headers of every request for a preview."""
        self.templates: dict[str, Template] = {}
        self.sandboxes: dict[str, DoubleSandbox] = {}
        self.builds = Builds(root / "builds", self.templates)
        self._root = root / "machines"
        self._made: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def fault(self, where: str, kind: Any = "status", **more: Any) -> Fault:
        return self.faults.add(Fault(where, kind, **more))

    def one(self) -> DoubleSandbox:
        (only,) = self.sandboxes.values()
        return only

    async def expire(self, sandbox_id: str) -> None:
        """Its time is over."""
        sandbox = self.sandboxes[sandbox_id]
        if sandbox.body.get("autoPause"):
            self.pause(sandbox)
        else:
            await self.end(sandbox)

    def pause(self, sandbox: DoubleSandbox) -> None:
        sandbox.state = "paused"
        sandbox.machine.freeze()
        if sandbox.timer:
            sandbox.timer.cancel()

    async def end(self, sandbox: DoubleSandbox) -> None:
        self.sandboxes.pop(sandbox.id, None)
        if sandbox.timer:
            sandbox.timer.cancel()
        sandbox.machine.thaw()
        await sandbox.machine.end()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        control = web.Application(middlewares=[self.faults.middleware, self._authorised])
        control.add_routes(
            [
                web.post("/v2/sandboxes", self._create),
                web.get("/v2/sandboxes", self._list),
                web.get("/sandboxes/{id}", self._info),
                web.delete("/sandboxes/{id}", self._kill),
                web.post("/sandboxes/{id}/timeout", self._set_timeout),
                web.post("/v2/sandboxes/{id}/connect", self._connect),
                *self.builds.routes(),
            ]
        )
        gateway = web.Application(middlewares=[self.faults.middleware], client_max_size=1 << 28)
        gateway.router.add_route("*", "/{tail:.*}", self._pass_on)
        runners = [
            web.AppRunner(each, shutdown_timeout=0.1, access_log=None)
            for each in (control, gateway)
        ]
        self._session = aiohttp.ClientSession(auto_decompress=False)
        try:
            urls: list[str] = []
            for runner in runners:
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            self.url, self.gateway = urls
            self.builds.url = self.url
            yield
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.builds.close()
            for sandbox in list(self.sandboxes.values()):
                await self.end(sandbox)
            await self._session.close()
            for runner in runners:
                await runner.cleanup()

    @web.middleware
    async def _authorised(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("X-API-KEY", "")
        if not request.path.startswith("/uploads/") and given != self.key:
            return failure(401, f"Invalid API key: {given}")
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        idempotency = request.headers.get("Idempotency-Key", "")
        if idempotency in self._made:
            return web.json_response(_public(self.sandboxes[self._made[idempotency]]), status=201)
        template = self.templates.get(body["templateID"])
        if template is None:
            return failure(404, f"template '{body['templateID']}' not found")
        if body["timeout"] > MAX_TIMEOUT_S:
            return failure(400, "Timeout cannot be greater than 1 hours")
        sandbox_id = f"i{secrets.token_hex(10)}"
        machine = Machine(self._root / sandbox_id)
        sandbox = DoubleSandbox(
            sandbox_id, body, machine, Envd(machine), Jupyter(machine), secrets.token_hex(16)
        )
        self.sandboxes[sandbox_id] = sandbox
        if idempotency:
            self._made[idempotency] = sandbox_id
        await machine.boot(template)
        self._give(sandbox, body["timeout"])
        return web.json_response(_public(sandbox), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        wanted = dict(parse_qsl(request.query.get("metadata", "")))
        found = [
            each
            for each in self.sandboxes.values()
            if wanted.items() <= each.body.get("metadata", {}).items()
        ]
        first = int(request.query.get("nextToken", "0"))
        page = found[first : first + PAGE]
        more = {"X-Next-Token": str(first + PAGE)} if first + PAGE < len(found) else {}
        return web.json_response([_detail(each) for each in page], headers=more)

    async def _info(self, request: web.Request) -> web.Response:
        sandbox = self.sandboxes.get(request.match_info["id"])
        return web.json_response(_detail(sandbox)) if sandbox else _unknown(request)

    async def _kill(self, request: web.Request) -> web.Response:
        sandbox = self.sandboxes.get(request.match_info["id"])
        if sandbox is None:
            return _unknown(request)
        await self.end(sandbox)
        return web.Response(status=204)

    async def _set_timeout(self, request: web.Request) -> web.Response:
        sandbox = self.sandboxes.get(request.match_info["id"])
        if sandbox is None or sandbox.state == "paused":
            return _unknown(request)
        self._give(sandbox, (await request.json())["timeout"])
        return web.Response(status=204)

    async def _connect(self, request: web.Request) -> web.Response:
        sandbox = self.sandboxes.get(request.match_info["id"])
        if sandbox is None:
            return _unknown(request)
        self._resume(sandbox, (await request.json()).get("timeout", 300))
        return web.json_response(_public(sandbox), status=201)

    def _resume(self, sandbox: DoubleSandbox, timeout_s: int) -> None:
        sandbox.state = "running"
        sandbox.machine.thaw()
        self._give(sandbox, timeout_s)

    def _give(self, sandbox: DoubleSandbox, seconds: int) -> None:
        loop = asyncio.get_running_loop()
        sandbox.timeouts.append(seconds)
        sandbox.ends_at = loop.time() + seconds
        if sandbox.timer:
            sandbox.timer.cancel()
        sandbox.timer = loop.call_later(seconds, self._time_is_over, sandbox.id)

    def _time_is_over(self, sandbox_id: str) -> None:
        task = asyncio.create_task(self.expire(sandbox_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        label = request.host.partition(".")[0]
        port, _, named = label.partition("-")
        sandbox_id = request.headers.get("E2b-Sandbox-Id", named)
        port = request.headers.get("E2b-Sandbox-Port", port)
        sandbox = self.sandboxes.get(sandbox_id)
        if sandbox and sandbox.state == "paused":
            if not (sandbox.body.get("autoResume") or {}).get("enabled"):
                sandbox = None
            else:
                self._resume(sandbox, sandbox.body["timeout"])
        if sandbox is None:
            return failure(502, "The sandbox was not found", sandboxId=sandbox_id)
        if port == ENVD_PORT:
            if request.headers.get("X-Access-Token") != sandbox.token:
                return failure(401, "unauthorized access, please provide a valid access token")
            return await sandbox.envd.handle(request)
        if port == JUPYTER_PORT:
            return await sandbox.jupyter.handle(request)
        return await self._preview(request, sandbox, port)

    async def _preview(
        self, request: web.Request, sandbox: DoubleSandbox, port: str
    ) -> web.StreamResponse:
        assert self._session is not None
        self.previewed.append(dict(request.headers))
        # All machines here share one network: the template's port is another one in each.
        real = sandbox.machine.port if port == "5173" else int(port)
        url = f"http://127.0.0.1:{real}{request.rel_url.path_qs}"
        headers = {"Host": request.host, "Accept": request.headers.get("Accept", "*/*")}
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                body = await answer.read()
                kind = {"Content-Type": answer.headers.get("Content-Type", "text/plain")}
                return web.Response(status=answer.status, body=body, headers=kind)
        except (aiohttp.ClientConnectionError, ConnectionError):
            message = "The sandbox is running but port is not open"
            return failure(502, message, sandboxId=sandbox.id, port=int(port))


def _unknown(request: web.Request) -> web.Response:
    return failure(404, f"sandbox {request.match_info['id']} not found")


def _public(sandbox: DoubleSandbox) -> dict[str, Any]:
    return {
        "templateID": sandbox.body["templateID"],
        "sandboxID": sandbox.id,
        "clientID": "double",
        "envdVersion": ENVD_VERSION,
        "envdAccessToken": sandbox.token,
        "domain": None,
    }


def _detail(sandbox: DoubleSandbox) -> dict[str, Any]:
    now = datetime.now(UTC)
    left = sandbox.ends_at - asyncio.get_running_loop().time()
    return {
        "templateID": sandbox.body["templateID"],
        "sandboxID": sandbox.id,
        "clientID": "double",
        "startedAt": now.isoformat(),
        "endAt": (now + timedelta(seconds=left)).isoformat(),
        "cpuCount": 2,
        "memoryMB": 1536,
        "diskSizeMB": 1024,
        "envdVersion": ENVD_VERSION,
        "state": sandbox.state,
        "metadata": sandbox.body.get("metadata", {}),
    }
