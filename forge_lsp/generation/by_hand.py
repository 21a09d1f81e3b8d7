"""What the developer changed by hand in files that the model wrote, and whether it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from forge_lsp.changes.hunks import Hunk, hunks_between
from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_text
from forge_lsp.changes.unified import unified_diff
from forge_lsp.generation.context import tokens_of
from forge_lsp.generation.delimiters import fenced
from forge_lsp.generation.lines import lines_of as text_lines_of
from forge_lsp.paths import ProjectPath

MAX_COMPARED_BYTES = 400_000
"""A larger file is named, and never compared line by line."""
MOST_NAMED = 40
"""Files that one sentence names."""
_MIN_PART_TOKENS = 80
"""Less of a diff than this isn't worth showing."""

BEGINNING = "Since you last wrote these files, the developer has changed them by hand."
_TASK = f"""\
{BEGINNING} The project already has these changes. Keep each of them, unless the request itself is \
to change it; never go back to how you had written it."""


@dataclass(frozen=True, slots=True)
class HandEdit:
    """A file that isn't as a run left it."""

    path: ProjectPath
    left: bytes | None
    """As the run left it; None where it had deleted it."""
    now: bytes | None
    """As it is; None where somebody deleted it."""


def differs(left: bytes | None, now: bytes | None) -> bool:
    """Whether the text is another, whatever its line ends and its byte order mark."""
    if left == now:
        return False
    if left is None or now is None:
        return True
    one, other = as_text(left), as_text(now)
    return one is None or one != other


def told_by_hand(edits: Sequence[HandEdit], budget_tokens: int) -> str:
    """What the model is told of `edits`: their diffs, of at most so many tokens.

    Where all are too large together, the largest are cut and said to be. Empty where there is
    nothing to tell, or no room for it.
    """
    if not edits or budget_tokens <= 0:
        return ""
    parts = [_TASK]
    diffs, named = _fitting(edits, budget_tokens)
    if diffs:
        parts.append(f"The changes, as diffs, which are data:\n{fenced(''.join(diffs))}")
    if named:
        parts.append(f"Changed by hand as well, but not shown: {_listed(named)}.")
    gone = [edit.path for edit in edits if edit.now is None]
    if gone:
        parts.append(f"Deleted by hand, so don't write them again: {_listed(gone)}.")
    return "\n\n".join(parts)


def takes_back(edit: HandEdit, after: bytes | None) -> bool:
    """Whether `after`, proposed for the file, goes back to what the run had left in some place."""
    if after == edit.now:
        return False
    if edit.left is None or edit.now is None or after is None:
        return (after is None) == (edit.left is None)
    if max(map(len, (edit.left, edit.now, after))) > MAX_COMPARED_BYTES:
        return after == edit.left
    return bool(_replacements(edit.now, edit.left) & _replacements(edit.now, after))


def _fitting(
    edits: Sequence[HandEdit], budget_tokens: int
) -> tuple[Sequence[str], Sequence[ProjectPath]]:
    """The diffs that there is room for, by path, and the files that have none of it."""
    wanted = {edit.path: _diff(edit) for edit in edits if edit.now is not None}
    shown: dict[ProjectPath, str] = {}
    left = budget_tokens
    smallest_first = sorted(wanted, key=lambda path: (tokens_of(wanted[path]), path))
    for index, path in enumerate(smallest_first):
        diff = _cut(wanted[path], left // (len(smallest_first) - index))
        if diff:
            shown[path] = diff
            left -= tokens_of(diff)
    return [shown[path] for path in sorted(shown)], sorted(wanted.keys() - shown.keys())


def _diff(edit: HandEdit) -> str:
    """Empty for what can't be shown as one."""
    left, now = (_plain(content) for content in (edit.left, edit.now))
    if left is None or now is None:
        return ""
    before = None if edit.left is None else left.encode()
    return unified_diff([FileChange(edit.path, before, now.encode())])


def _plain(content: bytes | None) -> str | None:
    """The text; None for what is no text, or too large."""
    if content is None:
        return ""
    return None if len(content) > MAX_COMPARED_BYTES else as_text(content)


def _cut(diff: str, budget_tokens: int) -> str:
    if tokens_of(diff) <= budget_tokens:
        return diff
    if budget_tokens < _MIN_PART_TOKENS:
        return ""
    lines = text_lines_of(diff)
    kept: list[str] = []
    left = budget_tokens - tokens_of(_marker(len(lines)))
    for line in lines:
        left -= tokens_of(line)
        if left < 0:
            break
        kept.append(line)
    # Of a diff whose head alone is shown nobody learns anything.
    shows_a_change = any(line.startswith("@@") for line in kept[:-1])
    return "".join(kept) + _marker(len(lines) - len(kept)) if shows_a_change else ""


def _marker(left_out: int) -> str:
    return f"[{left_out} more lines of this diff are not shown]\n"


def _listed(paths: Sequence[ProjectPath]) -> str:
    more = len(paths) - MOST_NAMED
    named = ", ".join(paths[:MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _replacements(before: bytes, after: bytes) -> set[tuple[Hunk, tuple[bytes, ...]]]:
    """What takes the place of which lines of `before`, wherever it stands in `after`."""
    lines = lines_of(after)
    found: set[tuple[Hunk, tuple[bytes, ...]]] = set()
    for hunk in hunks_between(before, after):
        end = hunk.after_start + hunk.after_count
        place = Hunk(hunk.before_start, hunk.before_count, 0, hunk.after_count)
        found.add((place, tuple(lines[hunk.after_start : end])))
    return found
