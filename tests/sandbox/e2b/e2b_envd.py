"""What runs inside every sandbox of E2B: files and processes over HTTP.

After e2b-dev/infra, packages/envd.
"""

import asyncio
import base64
import os
import shutil
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from e2b_machine import Machine, Program
from e2b_wire import (
    END_OF_STREAM,
    RpcError,
    failure,
    frame,
    open_stream,
    refuse_stream,
    stream_request,
    unary,
)

SIGNALS = {"SIGNAL_SIGKILL": signal.SIGKILL, "SIGNAL_SIGTERM": signal.SIGTERM}


class Envd:
    """Serves one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.is_full = False
        """Its disk has no room."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        calls = {
            ("GET", "/health"): self._health,
            ("GET", "/files"): self._download,
            ("POST", "/files"): self._upload,
            ("POST", "/filesystem.Filesystem/Stat"): unary(self._stat),
            ("POST", "/filesystem.Filesystem/Move"): unary(self._move),
            ("POST", "/filesystem.Filesystem/Remove"): unary(self._remove),
            ("POST", "/process.Process/List"): unary(self._list),
            ("POST", "/process.Process/SendSignal"): unary(self._signal),
            ("POST", "/process.Process/Start"): self._start,
            ("POST", "/process.Process/Connect"): self._connect,
        }
        call = calls.get((request.method, request.path))
        if call is None:
            return failure(404, f"the double knows no {request.method} {request.path}")
        return await call(request)

    def _place(self, path: str) -> Path:
        if path.startswith("~") and path != "~" and not path.startswith("~/"):
            raise RpcError("invalid_argument", "cannot expand user-specific home dir")
        return self._machine.home / path

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        place = self._place(request.query["path"])
        if not place.exists():
            return failure(404, f"path '{place}' does not exist")
        if place.is_dir():
            return failure(400, f"path '{place}' is a directory")
        return web.FileResponse(place)

    async def _upload(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/octet-stream"
        place = self._place(request.query["path"])
        if self.is_full:
            return failure(507, "not enough disk space available")
        if place.is_dir():
            return failure(400, f"path is a directory: {place}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(await request.read())
        except OSError as error:
            return failure(500, f"error opening file: {os.strerror(error.errno or 0).lower()}")
        return web.json_response([{"name": place.name, "type": "file", "path": str(place)}])

    async def _stat(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"entry": _entry(self._place(asked["path"]))}

    async def _move(self, asked: dict[str, Any]) -> dict[str, Any]:
        source, target = self._place(asked["source"]), self._place(asked["destination"])
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise RpcError("internal", f"path is a file: {target.parent}") from error
        if target.is_dir():
            raise RpcError("internal", f"error renaming: rename {source} {target}: file exists")
        try:
            source.rename(target)
        except FileNotFoundError as error:
            raise RpcError("not_found", f"source file not found: {error}") from error
        except OSError as error:
            raise RpcError(
                "internal", f"error renaming: {(error.strerror or '').lower()}"
            ) from error
        return {"entry": _entry(target)}

    async def _remove(self, asked: dict[str, Any]) -> dict[str, Any]:
        place = self._place(asked["path"])
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        return {}

    async def _list(self, asked: dict[str, Any]) -> dict[str, Any]:
        programs = self._machine.programs
        return {
            "processes": [{"config": each.config, "pid": pid} for pid, each in programs.items()]
        }

    async def _signal(self, asked: dict[str, Any]) -> dict[str, Any]:
        pid = asked["process"]["pid"]
        if pid not in self._machine.programs:
            raise RpcError("not_found", f"process with pid {pid} not found")
        os.kill(pid, SIGNALS[asked["signal"]])
        return {}

    async def _start(self, request: web.Request) -> web.StreamResponse:
        asked = await stream_request(request)
        config = asked["process"]
        timeout_s = int(request.headers.get("Connect-Timeout-Ms", "0")) / 1000
        cwd = self._place(config.get("cwd", "."))
        if not cwd.exists():
            error = RpcError("invalid_argument", f"cwd '{cwd}' does not exist")
            return await refuse_stream(request, error)
        program = await self._machine.start(
            config["cmd"],
            config.get("args", []),
            cwd=str(cwd),
            more=config.get("envs", {}),
            timeout_s=timeout_s,
        )
        return await self._tell(request, program)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        pid = (await stream_request(request))["process"]["pid"]
        program = self._machine.programs.get(pid)
        if program is None:
            error = RpcError("not_found", f"process with pid {pid} not found")
            return await refuse_stream(request, error)
        return await self._tell(request, program)

    async def _tell(self, request: web.Request, program: Program) -> web.StreamResponse:
        heard = program.listen()
        answer = await open_stream(request)
        try:
            await answer.write(frame(_event(start={"pid": program.process.pid})))
            while (event := await heard.get()) is not None:
                name, piece = event
                told = _event(data={name: base64.b64encode(piece).decode()})
                await answer.write(frame(told))
            if self._machine.has_ended:
                # Nothing is left that could say how it ended.
                if request.transport is not None:
                    request.transport.abort()
                return answer
            await answer.write(frame(_event(end=_end_of(program.process))))
            await answer.write(frame({}, END_OF_STREAM))
        except ConnectionError:
            # Whoever stops listening doesn't end the process.
            pass
        finally:
            program.listeners.remove(heard)
        return answer


def _event(**event: Any) -> dict[str, Any]:
    return {"event": event}


def _end_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    code = process.returncode
    assert code is not None
    if code < 0:
        return {"exitCode": -1, "status": f"signal: {-code}", "error": f"signal: {-code}"}
    end: dict[str, Any] = {"exitCode": code, "exited": True, "status": f"exit status {code}"}
    return end | ({"error": f"exit status {code}"} if code else {})


def _entry(place: Path) -> dict[str, Any]:
    try:
        status = place.lstat()
    except FileNotFoundError as error:
        raise RpcError("not_found", f"file not found: {place}") from error
    except OSError as error:
        words = (error.strerror or "").lower()
        raise RpcError("internal", f"error getting file info: {words}") from error
    link = stat.S_ISLNK(status.st_mode)
    kind = status
    if link and place.exists():
        kind = place.stat()
    entry: dict[str, Any] = {
        "name": place.name,
        "type": _type_of(kind.st_mode),
        "path": str(place),
        "size": str(status.st_size),
        "mode": stat.S_IMODE(status.st_mode),
        "permissions": stat.filemode(status.st_mode),
        "owner": "user",
        "group": "user",
        "modifiedTime": datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if link:
        entry |= {"isSymlink": True, "symlinkTarget": str(place.readlink())}
    return entry


def _type_of(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "FILE_TYPE_FILE"
    if stat.S_ISDIR(mode):
        return "FILE_TYPE_DIRECTORY"
    return "FILE_TYPE_UNSPECIFIED"
