"""What the type checker finds wrong, and how it is asked."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.diagnosis.vite_errors import (
    MAX_MESSAGE_CHARACTERS,
    project_path,
    unresolved,
    with_end,
)

BUILD_INFO = "node_modules/.cache/forge-lsp/types.tsbuildinfo"
"""What the checker remembers between two looks; the listing of files leaves it out."""

_ERROR = re.compile(
    r"(?P<file>.+?)\((?P<line>\d{1,9}),(?P<column>\d{1,9})\): "
    r"(?P<severity>error|warning) (?P<code>TS\d{1,6}): (?P<message>.*)"
)
_MISSING = re.compile(
    r"Cannot find module '(?P<module>[^'\n]+)'"
    r"|Cannot find module or type declarations for side-effect import of '(?P<effect>[^'\n]+)'"
)
_MISSING_CODES = frozenset({"TS2307", "TS2792", "TS2882"})
_SYNTAX = re.compile(r"TS(1\d{3}|17002|17004|17008|17014|17015)")
"""TypeScript's own errors of grammar: src/compiler/diagnosticMessages.json in its repository."""
_COMMENT = re.compile(r"(\"(?>(?:[^\"\\\n]|\\.)*)\")|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_NO_FILES = re.compile(r"\"files\"\s*:\s*\[\s*\]")


def checker_arguments(configuration: str) -> Sequence[str]:
    """How to call tsc for a project whose tsconfig.json reads `configuration`.

    One that has only references to others is a solution, whose projects are built each.
    """
    text = _COMMENT.sub(lambda match: match[1] or "", configuration)
    is_solution = '"references"' in text and bool(_NO_FILES.search(text))
    if is_solution:
        return ("-b", "--noEmit", "--pretty", "false")
    return ("--noEmit", "--pretty", "false", "--incremental", "--tsBuildInfoFile", BUILD_INFO)


def parse_type_errors(output: str) -> Sequence[SandboxDiagnostic]:
    """Read what `tsc --pretty false` writes; indented lines continue the one before."""
    found: list[dict[str, str]] = []
    for line in output.splitlines():
        if match := _ERROR.fullmatch(line):
            found.append(match.groupdict())
        elif found and line.startswith(" "):
            found[-1]["message"] += f"\n{line}"
    return [
        SandboxDiagnostic(
            file=file,
            line=max(int(each["line"]), 1),
            column=max(int(each["column"]), 1),
            severity="warning" if each["severity"] == "warning" else "error",
            code=each["code"],
            message=each["message"][:MAX_MESSAGE_CHARACTERS],
            source="typescript",
        )
        for each in found
        if (file := project_path(each["file"]))
    ]


def with_range(
    found: SandboxDiagnostic, source: str, aliases: Collection[str]
) -> SandboxDiagnostic:
    """The same with its end, which tsc doesn't tell; `source` is its file's text."""
    found = with_end(found, source)
    match = _MISSING.match(found.message) if found.code in _MISSING_CODES else None
    if match is None or found.end_column is None:
        return found
    specifier = match["module"] or match["effect"]
    # tsc marks the string with its quotes; that one is meant, even where others say the same.
    return replace(
        unresolved(found, specifier, source, aliases),
        line=found.line,
        column=found.column + 1,
        end_line=found.line,
        end_column=found.end_column - 1,
    )


def is_syntax_error(found: SandboxDiagnostic) -> bool:
    """Whether tsc could not read the file, rather than disagree with what it says."""
    return bool(_SYNTAX.fullmatch(found.code))
