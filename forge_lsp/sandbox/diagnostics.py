"""What is wrong in a sandbox: is it up, does each module load, do the types hold."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from forge_lsp.errors import ForgeError, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import DiagnosticsReport, SandboxCheck, SandboxDiagnostic
from forge_lsp.sandbox.dev_server import DevServer
from forge_lsp.sandbox.vite_errors import (
    MAX_MESSAGE_CHARACTERS,
    located,
    parse_error_page,
    project_path,
)

MAX_MODULES = 500
MODULES_AT_ONCE = 8
MAX_DIAGNOSTICS = 500
MODULE_SUFFIXES = frozenset({".ts", ".tsx", ".js", ".jsx", ".mjs", ".mts", ".css"})

Read = Callable[[ProjectPath], Awaitable[bytes]]
"""Reads a file of the sandbox."""
TypeCheck = Callable[[], Awaitable[tuple[int, str]]]
"""Runs the type checker; gives its exit code and output. Raises `SandboxFailed`."""

_TYPE_ERROR = re.compile(
    r"(?P<file>.+?)\((?P<line>\d+),(?P<column>\d+)\): "
    r"(?P<severity>error|warning) (?P<code>TS\d+): (?P<message>.*)"
)


@dataclass(frozen=True, slots=True)
class _Finding:
    ok: bool
    detail: str
    diagnostics: Sequence[SandboxDiagnostic] = ()
    output: str = ""


async def diagnose(
    server: DevServer, files: Sequence[ProjectPath], read: Read, check_types: TypeCheck
) -> DiagnosticsReport:
    """Look at everything; `files` are those of the sandbox."""
    looks: dict[str, Callable[[], Awaitable[_Finding]]] = {
        "dev server": lambda: _process(server),
        "page": lambda: _page(server),
        "modules": lambda: _modules(server, files, read),
        "types": lambda: _types(check_types),
    }
    checks: list[SandboxCheck] = []
    found: list[SandboxDiagnostic] = []
    output = [server.output]
    for label, look in looks.items():
        began = time.monotonic()
        finding = await look()
        took_ms = round((time.monotonic() - began) * 1000)
        checks.append(SandboxCheck(label, finding.ok, finding.detail, took_ms))
        found += finding.diagnostics
        output.append(finding.output)
    return DiagnosticsReport(
        "\n".join(each for each in output if each), tuple(checks), tuple(found[:MAX_DIAGNOSTICS])
    )


def parse_type_errors(output: str) -> Sequence[SandboxDiagnostic]:
    """Read what `tsc --pretty false` writes; indented lines continue the one before."""
    found: list[dict[str, Any]] = []
    for line in output.splitlines():
        if match := _TYPE_ERROR.fullmatch(line):
            found.append(match.groupdict())
        elif found and line.startswith(" "):
            found[-1]["message"] += f"\n{line}"
    return [
        SandboxDiagnostic(
            file=project_path(each["file"]) or "",
            line=int(each["line"]),
            column=int(each["column"]),
            severity=each["severity"],
            code=each["code"],
            message=each["message"][:MAX_MESSAGE_CHARACTERS],
            source="typescript",
        )
        for each in found
        if project_path(each["file"])
    ]


async def _process(server: DevServer) -> _Finding:
    running = server.is_running
    return _Finding(running, "running" if running else server.why_ended or "being restarted")


async def _page(server: DevServer) -> _Finding:
    try:
        page = await server.get("/")
    except (aiohttp.ClientError, TimeoutError) as error:
        return _Finding(ok=False, detail=f"no answer ({type(error).__name__})")
    ok = page.status == 200 and page.content_type == "text/html"
    return _Finding(ok, f"{page.status} {page.content_type}")


async def _modules(server: DevServer, files: Sequence[ProjectPath], read: Read) -> _Finding:
    modules = [path for path in files if path.startswith("src/") and path.suffix in MODULE_SUFFIXES]
    asked = modules[:MAX_MODULES]
    turn = asyncio.Semaphore(MODULES_AT_ONCE)

    async def look(path: ProjectPath) -> SandboxDiagnostic | None:
        async with turn:
            return await _module(server, path, read)

    # Several modules report the same error when each imports the one that is wrong.
    answers = await asyncio.gather(*(look(path) for path in asked))
    found = tuple(dict.fromkeys(each for each in answers if each))
    left_out = f", {len(modules) - len(asked)} not looked at" if len(modules) > len(asked) else ""
    return _Finding(not found, f"{len(asked)} loaded, {len(found)} error(s){left_out}", found)


async def _module(server: DevServer, path: ProjectPath, read: Read) -> SandboxDiagnostic | None:
    try:
        page = await server.get("/" + quote(path))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _at_start(path, f"The dev server does not answer ({type(error).__name__}).")
    if page.status != 500:
        return None
    found = parse_error_page(path, page.body)
    try:
        source = await read(ProjectPath.parse(found.file))
    except ForgeError:
        # The page names another file, which is gone or isn't the project's.
        return found
    return located(found, source.decode(errors="replace"))


async def _types(check_types: TypeCheck) -> _Finding:
    try:
        code, output = await check_types()
    except SandboxFailed as error:
        return _Finding(ok=False, detail=error.message)
    found = parse_type_errors(output)
    detail = f"{len(found)} error(s)" if found or code == 0 else f"tsc ended with code {code}"
    return _Finding(code == 0, detail, found, output if code else "")


def _at_start(path: str, message: str) -> SandboxDiagnostic:
    return SandboxDiagnostic(path, 1, 1, "error", "no-answer", message, "forge")
