"""The sandbox's problems as the editor marks them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types

from forge_lsp.errors import ForgeError, SandboxGone
from forge_lsp.lsp.arguments import GivenDiagnostic
from forge_lsp.lsp.documents import lines_of_document
from forge_lsp.lsp.edits import text_of
from forge_lsp.lsp.places import Places
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.ports.sandbox import DiagnosticsReport, SandboxDiagnostic

if TYPE_CHECKING:
    from forge_lsp.ports.sandbox import Sandbox

SOURCE = "forge"
MOST_DIAGNOSTICS = 10_000
"""Of one report; what follows is not looked at."""
MOST_FILES = 200
MOST_OF_A_FILE = 100
MOST_MESSAGE_CHARACTERS = 2_000
MOST_CODE_CHARACTERS = 80
MOST_ANSWERED_CHARACTERS = 20_000
"""Of any text in a command's answer."""
MOST_COMPARED_BYTES = 2_000_000
"""A larger file is taken for the same in sandbox and workspace."""
READ_AT_ONCE = 8
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A problem and how it is shown."""

    found: SandboxDiagnostic
    shown: types.Diagnostic


async def marks_of(
    workspace: EditorWorkspace, sandbox: "Sandbox", report: DiagnosticsReport
) -> Mapping[str, Sequence[Mark]]:
    """By URI, what is wrong in the files that the workspace holds.

    Raises `SandboxGone`.
    """
    by_path = _by_path(report.diagnostics[:MOST_DIAGNOSTICS])
    reading = asyncio.Semaphore(READ_AT_ONCE)

    async def texts_of(path: ProjectPath) -> tuple[str | None, str | None]:
        async with reading:
            here = await workspace.read(path)
            if here is None:
                return None, None
            return text_of(here) or "", await _sandbox_text(sandbox, path)

    texts = await asyncio.gather(*map(texts_of, by_path))
    return await asyncio.to_thread(_marks, workspace, by_path, texts)


def as_problem(
    workspace: EditorWorkspace,
    path: ProjectPath,
    given: GivenDiagnostic,
    marks: Sequence[Mark] = (),
) -> SandboxDiagnostic:
    """A diagnostic of any server's as the sandbox would tell of it; `marks` are our own.

    Editors keep neither the data of ours nor who found it, so what is known is looked up.
    """
    document = workspace.document(path)
    lines = lines_of_document(document.source) if document else ()
    line, column = given.range.start.line, given.range.start.character
    if line < len(lines):
        column = _utf16_units(workspace, lines[line], column)
    data = cast("object", given.data)
    package = cast("dict[str, object]", data).get("package") if isinstance(data, dict) else None
    problem = SandboxDiagnostic(
        file=path,
        line=line + 1,
        column=column + 1,
        severity="error" if given.severity == types.DiagnosticSeverity.Error else "warning",
        code="" if given.code is None else str(given.code),
        message=given.message,
        source=given.source or "",
        package=package if isinstance(package, str) else None,
    )
    for mark in marks:
        if given.source == SOURCE and given.message == mark.shown.message:
            found = mark.found
            return replace(
                problem,
                code=found.code,
                message=found.message,
                source=found.source,
                package=found.package,
            )
    return problem


def as_answer(report: DiagnosticsReport) -> dict[str, Any]:
    """The report as a command answers it, which is as HTTP does."""
    return {
        "output": plain(report.output, MOST_ANSWERED_CHARACTERS),
        "checks": [
            {
                "label": plain(each.label, MOST_ANSWERED_CHARACTERS),
                "ok": each.ok,
                "detail": plain(each.detail, MOST_ANSWERED_CHARACTERS),
                "durationMs": each.duration_ms,
            }
            for each in report.checks
        ],
        "diagnostics": [_as_fields(each) for each in report.diagnostics[:MOST_DIAGNOSTICS]],
    }


def _as_fields(found: SandboxDiagnostic) -> dict[str, Any]:
    end = {"endLine": found.end_line, "endColumn": found.end_column}
    return {
        "file": plain(found.file, MOST_ANSWERED_CHARACTERS),
        "line": found.line,
        "column": found.column,
        **{name: value for name, value in end.items() if value is not None},
        "severity": found.severity,
        "code": plain(found.code, MOST_CODE_CHARACTERS),
        "message": plain(found.message, MOST_ANSWERED_CHARACTERS),
        "source": plain(found.source, MOST_CODE_CHARACTERS),
    }


def _by_path(
    found: Sequence[SandboxDiagnostic],
) -> Mapping[ProjectPath, Sequence[SandboxDiagnostic]]:
    """As many as are shown, the errors before the warnings."""
    by_path: dict[ProjectPath, list[SandboxDiagnostic]] = {}
    for each in sorted(found, key=lambda each: each.severity != "error"):
        if not is_allowed(each.file):
            continue
        path = ProjectPath.parse(each.file)
        if path in by_path or len(by_path) < MOST_FILES:
            mine = by_path.setdefault(path, [])
            if len(mine) < MOST_OF_A_FILE:
                mine.append(each)
    return by_path


async def _sandbox_text(sandbox: "Sandbox", path: ProjectPath) -> str | None:
    """What the problems' lines are lines of; None where it can't be told."""
    try:
        content = await sandbox.read(path)
    except SandboxGone:
        raise
    except ForgeError:
        return None
    return text_of(content) if len(content) <= MOST_COMPARED_BYTES else None


def _marks(
    workspace: EditorWorkspace,
    by_path: Mapping[ProjectPath, Sequence[SandboxDiagnostic]],
    texts: Sequence[tuple[str | None, str | None]],
) -> Mapping[str, Sequence[Mark]]:
    codec = workspace.documents.position_codec
    marks: dict[str, Sequence[Mark]] = {}
    for (path, found), (here, there) in zip(by_path.items(), texts, strict=True):
        if here is not None:
            places = Places(here, there, codec)
            marks[workspace.uri_of(path)] = [_mark(places, each) for each in found]
    return marks


def _mark(places: Places, found: SandboxDiagnostic) -> Mark:
    shown = types.Diagnostic(
        range=places.range_of(found),
        message=plain(found.message, MOST_MESSAGE_CHARACTERS),
        severity=_SEVERITIES[found.severity],
        code=plain(found.code, MOST_CODE_CHARACTERS) or None,
        source=SOURCE,
        data={"package": plain(found.package, MOST_CODE_CHARACTERS)} if found.package else None,
    )
    return Mark(found, shown)


def _utf16_units(workspace: EditorWorkspace, line: str, units: int) -> int:
    codec = workspace.documents.position_codec
    place = codec.position_from_client_units([line], types.Position(0, units))
    return len(line[: place.character].encode("utf-16-le", "surrogatepass")) // 2
