"""Which files, and how much of each, fit into a prompt."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.symbols import last_boundary
from forge_lsp.paths import ProjectPath

_BYTES_PER_TOKEN = 4
_MIN_PART_TOKENS = 100
"""Less of a file than this isn't worth showing."""


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file as a prompt shows it."""

    path: ProjectPath
    text: str
    is_partial: bool
    """Its end is left out, as its last line says; such a file may not be rewritten whole."""


def tokens_of(text: str) -> int:
    """About how many tokens `text` takes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def fit(
    files: Mapping[ProjectPath, str], budget_tokens: int, first: Collection[ProjectPath]
) -> list[ContextFile]:
    """As much of `files` as fits into `budget_tokens`: those in `first` first, in that order.

    Where the files in `first` are too large together, each gets its share of the room. A file
    that is too large is cut behind a symbol; one of which next to nothing fits is left out.
    """
    wanted = [path for path in dict.fromkeys(first) if path in files]
    others = [path for path in files if path not in set(wanted)]
    chosen: list[ContextFile] = []
    left = budget_tokens
    for index, path in enumerate([*wanted, *others]):
        share = left // max(1, len(wanted) - index)
        shown = _shown(path, files[path], share)
        if shown:
            chosen.append(shown)
            left -= tokens_of(shown.text)
    return chosen


def _shown(path: ProjectPath, text: str, budget_tokens: int) -> ContextFile | None:
    if tokens_of(text) <= budget_tokens:
        return ContextFile(path, text, is_partial=False)
    if budget_tokens < _MIN_PART_TOKENS:
        return None
    lines = lines_of(text)
    marker = _marker(len(lines))
    room = (budget_tokens - tokens_of(marker)) * _BYTES_PER_TOKEN
    count = 0
    for line in lines:
        room -= len(line.encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        count += 1
    kept = last_boundary(path, text, count)
    if not kept:
        return None
    return ContextFile(path, "".join(lines[:kept]) + _marker(len(lines) - kept), is_partial=True)


def _marker(left_out: int) -> str:
    return f"[{left_out} more lines of this file are not shown]\n"
