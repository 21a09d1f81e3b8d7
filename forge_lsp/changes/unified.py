"""Changes as a patch that people read and `git apply` takes."""

from collections.abc import Iterable, Iterator

from forge_lsp.changes.hunks import Hunk
from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.sets import FileChange

_CONTEXT_LINES = 3


def unified_diff(changes: Iterable[FileChange]) -> str:
    """What is still to be decided in `changes`, as a git patch; empty where nothing is.

    A file that isn't UTF-8 text is named, not shown. Of a file's CR LF line ends the CR stays,
    at the end of its line.
    """
    return "".join(part for change in changes for part in _file_diff(change))


def _file_diff(change: FileChange) -> Iterator[str]:
    before, after = change.before, change.after
    if before == after:
        return
    yield f"diff --git a/{change.path} b/{change.path}\n"
    if before is None:
        yield "new file mode 100644\n"
    if after is None:
        yield "deleted file mode 100644\n"
    old = "/dev/null" if before is None else f"a/{change.path}"
    new = "/dev/null" if after is None else f"b/{change.path}"
    if not _is_text(before) or not _is_text(after):
        yield f"Binary files {old} and {new} differ\n"
    elif before or after:
        yield f"--- {_ended(old)}\n+++ {_ended(new)}\n"
        yield from _hunk_diffs(change)


def _is_text(content: bytes | None) -> bool:
    try:
        text = (content or b"").decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _ended(name: str) -> str:
    """`name` as git writes it after `---`: a tab shows where a name with a space ends."""
    return f"{name}\t" if " " in name else name


def _hunk_diffs(change: FileChange) -> Iterator[str]:
    before = [line.decode() for line in lines_of(change.before or b"")]
    after = [line.decode() for line in lines_of(change.after or b"")]
    for group in _groups(change.hunks):
        first, last = group[0], group[-1]
        above = min(_CONTEXT_LINES, first.before_start)
        start, new_start = first.before_start - above, first.after_start - above
        last_line = last.before_start + last.before_count
        end = min(len(before), last_line + _CONTEXT_LINES)
        new_end = last.after_start + last.after_count + end - last_line
        yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n"
        place = start
        for hunk in group:
            yield from _marked(" ", before[place : hunk.before_start])
            place = hunk.before_start + hunk.before_count
            yield from _marked("-", before[hunk.before_start : place])
            yield from _marked("+", after[hunk.after_start : hunk.after_start + hunk.after_count])
        yield from _marked(" ", before[place:end])


def _groups(hunks: tuple[Hunk, ...]) -> list[list[Hunk]]:
    """Hunks whose context would touch or overlap, together."""
    groups: list[list[Hunk]] = []
    for hunk in hunks:
        last = groups[-1][-1] if groups else None
        if last and hunk.before_start - last.before_start - last.before_count <= 2 * _CONTEXT_LINES:
            groups[-1].append(hunk)
        else:
            groups.append([hunk])
    return groups


def _range(start: int, end: int) -> str:
    """Lines `start` to `end` (0-based) as in a hunk's head, where an empty range names the line
    above it."""
    count = end - start
    return f"{start + 1 if count else start},{count}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield (
            f"{mark}{line}"
            if line.endswith("\n")
            else f"{mark}{line}\n\\ No newline at end of file\n"
        )
