"""What Vite answers instead of a module that doesn't load."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.diagnosis.imports import find_import, missing_package
from forge_lsp.sandbox.diagnosis.places import lines_of, token_end, utf16_length

MAX_MESSAGE_CHARACTERS = 4_000
MAX_LABEL_CHARACTERS = 80
MAX_COUNT = 999_999_999
"""No file has more lines, and no line more columns."""
UNRESOLVED_IMPORT = "unresolved-import"

_ERROR = re.compile(rb"const error = (\{.*\})\s*$", re.MULTILINE)
_PLACE_IN_MESSAGE = re.compile(r"\[ ?(?P<file>[^\[\]\n]+?):(?P<line>\d+):(?P<column>\d+) ?\]")
_CODE_IN_MESSAGE = re.compile(r"^\[(?P<code>[A-Z][A-Z_]+)\]", re.MULTILINE)
_NAMES_WHAT_IS_WRONG: Sequence[tuple[str, re.Pattern[str]]] = (
    (UNRESOLVED_IMPORT, re.compile(r'Failed to resolve import "(?P<text>[^"\n]+)"')),
    ("unknown-class", re.compile(r"unknown utility class `(?P<text>[^`\n]+)`")),
)
_APP = "/app/"


def parse_error_page(path: str, page: bytes) -> SandboxDiagnostic:
    """Read the page that came with status 500 for the module at `path`."""
    error = _error_in(page)
    message = str(error.get("message") or "The module does not load.")
    file, line, column = _place(error, message)
    code = _CODE_IN_MESSAGE.search(message)
    return SandboxDiagnostic(
        file=file or path,
        line=line,
        column=column,
        severity="error",
        code=code["code"].lower()[:MAX_LABEL_CHARACTERS] if code else "transform",
        message=message[:MAX_MESSAGE_CHARACTERS],
        source=str(error.get("plugin") or "vite")[:MAX_LABEL_CHARACTERS],
    )


def located(
    diagnostic: SandboxDiagnostic, source: str, aliases: Collection[str] = ()
) -> SandboxDiagnostic:
    """The same, where `source` (its file's text) holds what the message names.

    For these Vite tells the place in the code that it made of the file, or no place at all. An
    import that begins with one of the `aliases` asks for no package.
    """
    code, named = _named_in(diagnostic.message)
    if not named:
        return with_end(diagnostic, source)
    if code == UNRESOLVED_IMPORT:
        return unresolved(diagnostic, named, source, aliases)
    found = replace(diagnostic, code=code)
    for number, line in enumerate(lines_of(source), 1):
        at = line.find(named)
        if at >= 0:
            return _at(found, number, utf16_length(line[:at]) + 1, named)
    return found


def unresolved(
    diagnostic: SandboxDiagnostic, specifier: str, source: str, aliases: Collection[str]
) -> SandboxDiagnostic:
    """The same as an import of `specifier` that leads nowhere, on the specifier itself."""
    package = missing_package(specifier, aliases)
    found = replace(diagnostic, code=UNRESOLVED_IMPORT, package=package)
    place = find_import(source, specifier)
    return _at(found, *place, specifier) if place else found


def with_end(found: SandboxDiagnostic, source: str) -> SandboxDiagnostic:
    """The same with its end, which is that of the word that stands there."""
    lines = lines_of(source)
    end = token_end(lines[found.line - 1], found.column) if found.line <= len(lines) else None
    return replace(found, end_line=found.line, end_column=end) if end else found


def project_path(name: object) -> str | None:
    """A file that Vite or tsc named, as the project's own; None where it is none."""
    if not isinstance(name, str):
        return None
    path = name.partition("?")[0].removeprefix(_APP)
    return str(ProjectPath.parse(path)) if is_allowed(path) else None


def _at(found: SandboxDiagnostic, line: int, column: int, text: str) -> SandboxDiagnostic:
    end = column + utf16_length(text)
    return replace(found, line=line, column=column, end_line=line, end_column=end)


def _named_in(message: str) -> tuple[str, str]:
    for code, pattern in _NAMES_WHAT_IS_WRONG:
        if match := pattern.search(message):
            return code, match["text"]
    return "", ""


def _error_in(page: bytes) -> dict[str, Any]:
    match = _ERROR.search(page)
    try:
        error: Any = json.loads(match[1]) if match else None
    except (ValueError, RecursionError):
        # The page is the sandbox's, and may be anything.
        return {}
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {}


def _place(error: dict[str, Any], message: str) -> tuple[str | None, int, int]:
    """The file, the line and the column; `loc` counts columns from 0, as Rollup does."""
    loc: Any = error.get("loc")
    if isinstance(loc, dict):
        where = cast("dict[str, Any]", loc)
        file = project_path(where.get("file")) or project_path(error.get("id"))
        return file, max(_count(where.get("line")), 1), _count(where.get("column")) + 1
    if match := _PLACE_IN_MESSAGE.search(message):
        line, column = match["line"][:9], match["column"][:9]
        return project_path(match["file"]), max(int(line), 1), max(int(column), 1)
    return project_path(error.get("id")), 1, 1


def _count(value: object) -> int:
    return min(value, MAX_COUNT) if isinstance(value, int) and value >= 0 else 0
