"""Where a place in the sandbox's file is in the editor's: within the text, whatever is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.workspace import PositionCodec

from forge_lsp.lsp.places import Places
from forge_lsp.ports.sandbox import SandboxDiagnostic

UTF16 = PositionCodec(types.PositionEncodingKind.Utf16)


def found(line: int, column: int, end: tuple[int, int] | None = None) -> SandboxDiagnostic:
    end_line, end_column = end or (None, None)
    return SandboxDiagnostic("a.ts", line, column, "error", "", "", "", end_line, end_column)


def spans(place: types.Range) -> tuple[int, int, int, int]:
    return (place.start.line, place.start.character, place.end.line, place.end.character)


@pytest.mark.parametrize(
    ("encoding", "start", "end"),
    [("utf-8", 7, 13), ("utf-16", 5, 11), ("utf-32", 4, 10)],
)
def test_ranges_are_in_the_clients_units(encoding: str, start: int, end: int) -> None:
    codec = PositionCodec(types.PositionEncodingKind(encoding))
    places = Places("x\n'😀' BROKEN\n", None, codec)
    assert spans(places.range_of(found(2, 6, (2, 12)))) == (1, start, 1, end)


def test_lines_that_both_have_are_found_wherever_they_stand() -> None:
    there = "import a;\nimport new;\nfirst();\nsecond(new);\nthird();\n"
    here = "import a;\nfirst();\n  second();\n// typed\nthird();\n"
    places = Places(here, there, UTF16)
    assert spans(places.range_of(found(1, 8, (1, 9)))) == (0, 7, 0, 8)
    assert spans(places.range_of(found(3, 1, (5, 6)))) == (1, 0, 4, 5)
    # A line that is only there is marked on the nearest one here, without its indentation.
    assert spans(places.range_of(found(4, 8, (4, 11)))) == (2, 2, 2, 11)
    assert spans(places.range_of(found(2, 8))) == (1, 0, 1, 8)
    assert spans(places.range_of(found(3, 3, (4, 2)))) == (1, 2, 1, 8)


def test_what_is_at_the_end_of_the_file_is_marked_there() -> None:
    places = Places("open {\n", None, UTF16)
    assert spans(places.range_of(found(2, 1))) == (1, 0, 1, 0)


def test_an_other_manner_of_ending_lines_moves_nothing() -> None:
    places = Places("a\r\nb\r\n", "a\nb\n", UTF16)
    assert spans(places.range_of(found(2, 1, (2, 2)))) == (1, 0, 1, 1)


TEXTS = st.text(st.sampled_from("ab \n\r😀\ud800\udc00é"), max_size=60)
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-2, 12)


@given(TEXTS, TEXTS | st.none(), NUMBERS, NUMBERS, st.tuples(NUMBERS, NUMBERS) | st.none())
def test_whatever_is_asked_the_range_is_within_the_text(
    here: str, there: str | None, line: int, column: int, end: tuple[int, int] | None
) -> None:
    place = Places(here, there, UTF16).range_of(found(line, column, end))
    whole = here.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for position in (place.start, place.end):
        units = len(lines[position.line].encode("utf-16-le")) // 2
        assert 0 <= position.character <= units
    assert place.start <= place.end
