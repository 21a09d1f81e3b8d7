"""Bringing two changes of one text together."""

from collections.abc import Callable, Sequence

from forge_lsp.changes.lines import lines_of, matching_blocks


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """`base` with what `ours` and what `theirs` changed in it, line by line.

    None where both changed the same or neighbouring lines in different ways.
    """
    if base in (ours, theirs) or ours == theirs:
        return theirs if base == ours else ours
    # Few sessions ever merge, and every start of the server would pay for the import.
    from merge3 import Merge3

    ours_lines, theirs_lines, base_lines = lines_of(ours), lines_of(theirs), lines_of(base)
    lines: list[bytes] = []
    merged = Merge3(base_lines, ours_lines, theirs_lines, sequence_matcher=_BoundedMatcher)
    for region in merged.merge_regions():
        match region:
            case ("unchanged", start, end):
                lines += base_lines[start:end]
            case ("same" | "a", start, end):
                lines += ours_lines[start:end]
            case ("b", start, end):
                lines += theirs_lines[start:end]
            case _:
                return None
    return b"".join(lines)


class _BoundedMatcher:
    """What merge3 asks of a sequence matcher, within the bounds of `matching_blocks`."""

    def __init__(
        self,
        isjunk: Callable[[bytes], bool] | None = None,
        a: Sequence[bytes] = (),
        b: Sequence[bytes] = (),
        autojunk: bool = True,  # noqa: FBT001, FBT002 - merge3's protocol.
    ) -> None:
        del isjunk, autojunk
        self._a = a
        self._b = b

    def get_matching_blocks(self) -> list[tuple[int, int, int]]:
        blocks: list[tuple[int, int, int]] = [*matching_blocks(self._a, self._b)]
        return [*blocks, (len(self._a), len(self._b), 0)]
