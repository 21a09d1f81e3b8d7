"""Template builds of the double: steps are done for real, in a folder."""

import asyncio
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from e2b_archives import unpack
from e2b_machine import Machine, Template, copy_tree
from e2b_wire import failure

HOME = "/home/user"
READY_WITHIN_S = 60.0


@dataclass
class Build:
    name: str
    asked: dict[str, Any]
    home: Path
    status: str = "waiting"
    reason: dict[str, Any] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, message: str) -> None:
        now = datetime.now(UTC).isoformat()
        self.log.append({"timestamp": now, "level": "info", "message": message})


class Builds:
    def __init__(self, root: Path, templates: dict[str, Template]) -> None:
        self.url = ""
        self.cache: dict[str, tuple[Path, str]] = {}
        """A command that was run before, with the folder that it made and where that belongs."""
        self.builds: dict[str, Build] = {}
        self._root = root
        self._templates = templates
        self._uploads: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v3/templates", self._request),
            web.get("/templates/{id}/files/{hash}", self._link),
            web.put("/uploads/{hash}", self._upload),
            web.post("/v2/templates/{id}/builds/{build}", self._trigger),
            web.get("/templates/{id}/builds/{build}/status", self._status),
        ]

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _request(self, request: web.Request) -> web.Response:
        asked = await request.json()
        build_id = secrets.token_hex(8)
        home = self._root / build_id / "home"
        self.builds[build_id] = Build(asked["name"], asked, home)
        return web.json_response(
            {
                "templateID": f"t{build_id}",
                "buildID": build_id,
                "public": False,
                "names": [asked["name"]],
                "aliases": [asked["name"]],
                "tags": ["default"],
            },
            status=202,
        )

    async def _link(self, request: web.Request) -> web.Response:
        digest = request.match_info["hash"]
        link = {"present": digest in self._uploads, "url": f"{self.url}/uploads/{digest}"}
        return web.json_response(link, status=201)

    async def _upload(self, request: web.Request) -> web.Response:
        self._uploads[request.match_info["hash"]] = await request.read()
        return web.Response()

    async def _trigger(self, request: web.Request) -> web.Response:
        build = self.builds[request.match_info["build"]]
        asked = await request.json()
        build.status = "building"
        task = asyncio.create_task(self._build(build, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.Response(status=202)

    async def _status(self, request: web.Request) -> web.Response:
        build = self.builds.get(request.match_info["build"])
        if build is None:
            return failure(404, "no such build")
        first = int(request.query.get("logsOffset", "0"))
        answer: dict[str, Any] = {
            "templateID": request.match_info["id"],
            "buildID": request.match_info["build"],
            "status": build.status,
            "logs": [],
            "logEntries": build.log[first:],
        }
        return web.json_response(answer | ({"reason": build.reason} if build.reason else {}))

    async def _build(self, build: Build, asked: dict[str, Any]) -> None:
        try:
            build.home.mkdir(parents=True)
            build.steps = asked["steps"]
            for number, step in enumerate(asked["steps"], 1):
                build.tell(f"[builder {number}/{len(asked['steps'])}] {step['type']}")
                await self._do(build, step)
            await self._wait_until_ready(build, asked)
        except (RuntimeError, OSError, TimeoutError) as error:
            build.reason = {"message": str(error) or type(error).__name__, "step": "1"}
            build.status = "error"
        else:
            self._templates[build.name] = Template(build.home, asked["startCmd"])
            build.status = "ready"

    async def _do(self, build: Build, step: dict[str, Any]) -> None:
        if step["type"] == "COPY":
            target = build.home / step["args"][1].removeprefix(HOME).strip("/")
            await asyncio.to_thread(unpack, self._uploads[step["filesHash"]], target)
        elif step["type"] == "RUN":
            await self._run(build, step["args"][0])
        else:
            assert step["type"] in ("USER", "WORKDIR")

    async def _run(self, build: Build, command: str) -> None:
        if command in self.cache:
            build.tell("CACHED")
            made, place = self.cache[command]
            await copy_tree(made, build.home / place)
            return
        running = await asyncio.create_subprocess_exec(
            "/bin/bash", "-c", command, cwd=build.home, stderr=asyncio.subprocess.PIPE
        )
        _, told = await running.communicate()
        if running.returncode:
            words = told.decode(errors="replace").strip()
            raise RuntimeError(f"failed to run command '{command}': {words}")

    async def _wait_until_ready(self, build: Build, asked: dict[str, Any]) -> None:
        machine = Machine(self._root / secrets.token_hex(8))
        command = asked["readyCmd"].replace(":5173", f":{machine.port}")
        try:
            await machine.boot(Template(build.home, asked["startCmd"]))
            async with asyncio.timeout(READY_WITHIN_S):
                while True:
                    looking = await asyncio.create_subprocess_exec("/bin/bash", "-c", command)
                    if await looking.wait() == 0:
                        break
                    await asyncio.sleep(0.1)
            # The rest of what it did while it ran is part of the template.
            await asyncio.to_thread(shutil.rmtree, build.home)
            await copy_tree(machine.home, build.home)
        finally:
            await machine.end()
