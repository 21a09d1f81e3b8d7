"""Bringing two changes of one text together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from forge_lsp.changes.lines import lines_of, matching_blocks
from forge_lsp.changes.texts import as_bytes, as_text


@dataclass(frozen=True, slots=True)
class Merged:
    """A file that two changes were brought together in."""

    content: bytes | None
    """None where there is no file."""


def merge_files(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> Merged | None:
    """The file `base` with what `ours` and what `theirs` changed in it; each may be no file.

    None where both changed the same or neighbouring lines, where one took away what the other
    changed, and where both changed what isn't text. Where `ours` differs in its line ends or its
    byte order mark, it keeps them.
    """
    if theirs in (ours, base):
        return Merged(ours)
    if ours == base:
        return Merged(theirs)
    if base is None or ours is None or theirs is None:
        return None
    merged = _merge_texts(base, ours, theirs)
    return None if merged is None else Merged(merged)


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """`base` with what `ours` and what `theirs` changed in it, line by line.

    None where both changed the same or neighbouring lines in different ways.
    """
    if base in (ours, theirs) or ours == theirs:
        return theirs if base == ours else ours
    lines: list[bytes] = []
    for common, _ in _regions(base, ours, theirs):
        if common is None:
            return None
        lines += common
    return b"".join(lines)


def lean(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """The same, with what `theirs` says where both changed the same lines, and with what both
    say where they only added some."""
    if base in (ours, theirs) or ours == theirs:
        return theirs if base == ours else ours
    lines: list[bytes] = []
    for common, leaning in _regions(base, ours, theirs):
        lines += leaning if common is None else common
    return b"".join(lines)


def _regions(
    base: bytes, ours: bytes, theirs: bytes
) -> Iterator[tuple[Sequence[bytes] | None, Sequence[bytes]]]:
    """Piece by piece what both come to, None where they collide, and what to lean to there."""
    # Few sessions ever merge, and every start of the server would pay for the import.
    from merge3 import Merge3

    ours_lines, theirs_lines, base_lines = lines_of(ours), lines_of(theirs), lines_of(base)
    merged = Merge3(base_lines, ours_lines, theirs_lines, sequence_matcher=_BoundedMatcher)
    for region in merged.merge_regions():
        match region:
            case ("unchanged", start, end):
                yield base_lines[start:end], ()
            case ("same" | "a", start, end):
                yield ours_lines[start:end], ()
            case ("b", start, end):
                yield theirs_lines[start:end], ()
            case (_, start, end, ours_start, ours_end, theirs_start, theirs_end):
                leaning = theirs_lines[theirs_start:theirs_end]
                if start == end:
                    leaning = [*_ended(ours_lines[ours_start:ours_end]), *leaning]
                yield None, leaning


def _ended(lines: list[bytes]) -> list[bytes]:
    """With an end to the last line, which other lines follow now."""
    return [line if line.endswith(b"\n") else line + b"\n" for line in lines]


def _merge_texts(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    texts = [as_text(each) for each in (base, ours, theirs)]
    plain = [text.encode() for text in texts if text is not None]
    if len(plain) < len(texts):
        # Half of one picture and half of another are neither.
        return None
    merged = merge(base, ours, theirs)
    if merged is not None or as_bytes(plain[1].decode(), ours) != ours:
        return merged
    same = merge(*plain)
    return None if same is None else as_bytes(same.decode(), ours)


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
