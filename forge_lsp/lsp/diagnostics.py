"""The sandbox's problems, marked in the editor."""

from collections.abc import Sequence
from typing import cast

from lsprotocol import types

from forge_lsp.lsp.arguments import GivenDiagnostic
from forge_lsp.lsp.documents import lines_of_document
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.ports.sandbox import DiagnosticsReport, SandboxDiagnostic

SOURCE = "forge"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


def publish_report(workspace: EditorWorkspace, marked: set[str], report: DiagnosticsReport) -> None:
    """Mark what is wrong and clear what is no longer; `marked` keeps the URIs between reports."""
    by_uri: dict[str, list[types.Diagnostic]] = {uri: [] for uri in marked}
    for each in report.diagnostics:
        if is_allowed(each.file):
            path = ProjectPath.parse(each.file)
            by_uri.setdefault(workspace.uri_of(path), []).append(_diagnostic(workspace, path, each))
    for uri, diagnostics in by_uri.items():
        workspace.client.publish(uri, diagnostics)
    marked.clear()
    marked.update(uri for uri, diagnostics in by_uri.items() if diagnostics)


def _diagnostic(
    workspace: EditorWorkspace, path: ProjectPath, found: SandboxDiagnostic
) -> types.Diagnostic:
    lines = _lines(workspace, path)
    start = _position(workspace, lines, found.line, found.column)
    end = start
    if found.end_line is not None and found.end_column is not None:
        end = _position(workspace, lines, found.end_line, found.end_column)
    return types.Diagnostic(
        range=types.Range(start, end),
        message=found.message,
        severity=_SEVERITIES[found.severity],
        code=found.code or None,
        source=SOURCE,
        data={"package": found.package} if found.package else None,
    )


def as_problem(
    workspace: EditorWorkspace, path: ProjectPath, given: GivenDiagnostic
) -> SandboxDiagnostic:
    """A diagnostic of any server's as the sandbox would tell of it."""
    lines = _lines(workspace, path)
    line, column = given.range.start.line, given.range.start.character
    if line < len(lines):
        column = _utf16_units(workspace, lines[line], column)
    data = cast("object", given.data)
    package = cast("dict[str, object]", data).get("package") if isinstance(data, dict) else None
    return SandboxDiagnostic(
        file=path,
        line=line + 1,
        column=column + 1,
        severity="error" if given.severity == types.DiagnosticSeverity.Error else "warning",
        code="" if given.code is None else str(given.code),
        message=given.message,
        source=given.source or "",
        package=package if isinstance(package, str) else None,
    )


def _lines(workspace: EditorWorkspace, path: ProjectPath) -> Sequence[str]:
    document = workspace.document(path)
    return lines_of_document(document.source) if document else ()


def _utf16_units(workspace: EditorWorkspace, line: str, units: int) -> int:
    codec = workspace.documents.position_codec
    place = codec.position_from_client_units([line], types.Position(0, units))
    return len(line[: place.character].encode("utf-16-le")) // 2


def _position(
    workspace: EditorWorkspace, lines: Sequence[str], line: int, column: int
) -> types.Position:
    """1-based with UTF-16 columns to what the client counts; as it is where the text isn't open."""
    row, units = max(line - 1, 0), max(column - 1, 0)
    if row >= len(lines):
        return types.Position(row, units)
    before = lines[row].encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")
    return types.Position(row, workspace.documents.position_codec.client_num_units(before))
