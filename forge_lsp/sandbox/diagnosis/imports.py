"""Imports that lead nowhere: where they stand, and which package they ask for."""

import json
import re
from collections.abc import Collection

from forge_lsp.generation.packages import imported_packages
from forge_lsp.sandbox.diagnosis.places import utf16_length

_COMMENTS = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*')|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_BEFORE = r"(?:\bfrom|\bimport|\brequire|@import|@plugin|@reference|@config)\s*(?:url)?\s*\(?\s*"
_ALIAS = re.compile(r"\"([^\"\s*]+)\*?\"\s*:\s*\[")


def package_of(specifier: str) -> str | None:
    """The npm package that an import asks for; None for files, aliases and Node's own modules."""
    found = imported_packages("any.ts", f"import {json.dumps(specifier, ensure_ascii=False)};")
    return found[0] if found else None


def aliases_in(configuration: str) -> frozenset[str]:
    """The beginnings of names that a tsconfig.json's `paths` lead to the project's own files."""
    return frozenset(_ALIAS.findall(configuration))


def missing_package(specifier: str, aliases: Collection[str]) -> str | None:
    """The package to install for an import that leads nowhere; None where none would help."""
    return None if specifier.startswith(tuple(aliases)) else package_of(specifier)


def find_import(source: str, specifier: str) -> tuple[int, int] | None:
    """Where an import of `specifier` stands without its quotes: the line and the UTF-16 column.

    Both count from 1. None where the text doesn't hold it.
    """
    text = _COMMENTS.sub(_blanked, source)
    quoted = re.escape(specifier)
    for pattern in (
        rf"{_BEFORE}[\"'`]({quoted})[\"'`]",
        rf"[\"'`]({quoted})[\"'`]",
        # A style sheet's url() may go without quotes.
        rf"(?<![\w./@-])({quoted})(?![\w./-])",
    ):
        if match := re.search(pattern, text):
            before = source[: match.start(1)]
            line_start = before.rfind("\n") + 1
            return before.count("\n") + 1, utf16_length(before[line_start:]) + 1
    return None


def _blanked(match: re.Match[str]) -> str:
    return match[1] or re.sub(r"[^\n]", " ", match[0])
