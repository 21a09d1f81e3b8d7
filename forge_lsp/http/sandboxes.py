"""/api/sandbox/* and POST /api/packages/install."""

import logging

from aiohttp import web

from forge_lsp.actions.looking import sayable, sayable_text
from forge_lsp.http.bodies import (
    InstallBody,
    KillBody,
    SandboxBody,
    read_body,
    read_optional_body,
)
from forge_lsp.http.failures import json_answer
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.ports.sandbox import Sandbox, SandboxCheck, SandboxDiagnostic

log = logging.getLogger(__name__)


async def create(request: web.Request) -> web.Response:
    """POST /api/sandbox/create."""
    engine = await engine_of(request)
    sandbox = await engine.sandboxes.create(account_of(request), "", log.debug)
    return json_answer({"success": True, "sandboxId": sandbox.id, "url": sandbox.url})


async def status(request: web.Request) -> web.Response:
    """GET /api/sandbox/status."""
    sandbox = await _asked_for(request)
    return json_answer(
        {
            "success": True,
            "isAlive": await sandbox.is_alive(),
            "sandboxId": sandbox.id,
            "url": sandbox.url,
        }
    )


async def files(request: web.Request) -> web.Response:
    """GET /api/sandbox/files."""
    sandbox = await _asked_for(request)
    return json_answer({"success": True, "files": [str(path) for path in await sandbox.files()]})


async def diagnostics(request: web.Request) -> web.Response:
    """POST /api/sandbox/diagnostics."""
    body = await read_optional_body(request, SandboxBody)
    report = await (await _find(request, body.sandbox_id)).diagnostics()
    return json_answer(
        {
            "success": True,
            "output": sayable_text(report.output),
            "checks": [_check(check) for check in report.checks],
            "diagnostics": [_diagnostic(sayable(each)) for each in report.diagnostics],
        }
    )


async def kill(request: web.Request) -> web.Response:
    """POST /api/sandbox/kill."""
    engine = await engine_of(request)
    body = await read_optional_body(request, KillBody)
    killed = await engine.sandboxes.kill(account_of(request), body.sandbox_id or None)
    return json_answer({"success": True, "killed": list(killed)})


async def install_packages(request: web.Request) -> web.Response:
    """POST /api/packages/install."""
    body = await read_body(request, InstallBody)
    report = await (await _find(request, body.sandbox_id)).install(body.packages)
    answer: dict[str, object] = {
        "success": not report.failed,
        "installedPackages": [package.name for package in report.installed],
    }
    if report.failed:
        answer["failed"] = [{"name": each.name, "error": each.reason} for each in report.failed]
    return json_answer(answer)


async def _asked_for(request: web.Request) -> Sandbox:
    return await _find(request, request.query.get("sandboxId"))


async def _find(request: web.Request, sandbox_id: str | None) -> Sandbox:
    """The sandbox of that id, or the active one; an empty id names none."""
    engine = await engine_of(request)
    return engine.sandboxes.find(account_of(request), sandbox_id or None)


def _check(check: SandboxCheck) -> dict[str, object]:
    return {
        "label": sayable_text(check.label),
        "ok": check.ok,
        "detail": sayable_text(check.detail),
        "durationMs": check.duration_ms,
    }


def _diagnostic(diagnostic: SandboxDiagnostic) -> dict[str, object]:
    end = {"endLine": diagnostic.end_line, "endColumn": diagnostic.end_column}
    return {
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        **{name: value for name, value in end.items() if value is not None},
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "source": diagnostic.source,
    }
