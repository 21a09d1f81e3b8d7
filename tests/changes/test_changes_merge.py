import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.merge import Merged, merge, merge_files

texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"d\n", b"e"]), max_size=9).map(
    b"".join
)


def test_changes_in_different_places_are_both_there() -> None:
    assert merge(b"1\n2\n3\n4\n5\n", b"one\n2\n3\n4\n5\n", b"1\n2\n3\n4\nfive") == (
        b"one\n2\n3\n4\nfive"
    )


def test_different_changes_of_one_line_do_not_merge() -> None:
    assert merge(b"1\n2\n3\n", b"1\nx\n3\n", b"1\ny\n3\n") is None


def test_the_same_change_on_both_sides_is_made_once() -> None:
    assert merge(b"1\n2\n3\n4\n", b"0\n1\n2\n3\n4\n", b"0\n1\n2\n3\nfour\n") == (
        b"0\n1\n2\n3\nfour\n"
    )


def test_line_ends_are_kept() -> None:
    assert merge(b"1\r\n2\r\n3\r\n", b"1\r\n2\r\n3", b"one\r\n2\r\n3\r\n") == b"one\r\n2\r\n3"


@given(texts, texts)
def test_a_side_that_changed_nothing_yields_to_the_other(base: bytes, side: bytes) -> None:
    assert merge(base, side, base) == side
    assert merge(base, base, side) == side
    assert merge(base, side, side) == side


@given(texts, texts, texts)
def test_no_line_is_made_that_was_on_no_side(base: bytes, ours: bytes, theirs: bytes) -> None:
    merged = merge(base, ours, theirs)
    if merged is not None:
        known = {*lines_of(base), *lines_of(ours), *lines_of(theirs)}
        assert set(lines_of(merged)) <= known


@given(texts, texts, texts)
def test_it_does_not_matter_whose_side_is_whose(base: bytes, ours: bytes, theirs: bytes) -> None:
    assert merge(base, ours, theirs) == merge(base, theirs, ours)


def test_a_file_that_came_or_went_on_one_side_does_so() -> None:
    assert merge_files(b"1\n", None, b"1\n") == Merged(None)
    assert merge_files(None, b"1\n", None) == Merged(b"1\n")
    assert merge_files(None, None, None) == Merged(None)


def test_a_file_that_went_on_one_side_and_changed_on_the_other_does_not_merge() -> None:
    assert merge_files(b"1\n", None, b"2\n") is None
    assert merge_files(b"1\n", b"2\n", None) is None
    assert merge_files(None, b"1\n", b"2\n") is None


@pytest.mark.parametrize("odd", [b"\x00", b"\xff"])
def test_what_is_not_text_is_taken_whole_or_not_at_all(odd: bytes) -> None:
    base = b"1\n2\n3\n4\n5\n" + odd
    ours, theirs = b"one" + base[1:], base.replace(b"5\n", b"five\n")
    assert merge(base, ours, theirs) is not None
    assert merge_files(base, ours, theirs) is None
    assert merge_files(base, base, theirs) == Merged(theirs)


def test_utf_16_is_no_text_that_is_merged() -> None:
    base, ours, theirs = (
        text.encode("utf-16") for text in ("1\n2\n3\n", "one\n2\n3\n", "1\n2\nthree\n")
    )
    assert merge_files(base, ours, theirs) is None


def test_line_ends_and_the_mark_that_an_editor_changed_stay_as_it_has_them() -> None:
    base, theirs = b"1\n2\n3\n4\n5\n", b"1\n2\n3\n4\nfive\n"
    for ours in (b"one\r\n2\r\n3\r\n4\r\n5\r\n", b"\xef\xbb\xbfone\n2\n3\n4\n5\n"):
        wanted = ours.replace(b"5", b"five")
        assert merge_files(base, ours, theirs) == Merged(wanted)
    mixed = b"one\r\n2\n3\r\n4\n5\r\n"
    assert merge_files(base, mixed, theirs) is None, "no line end is changed that nobody changed"


@given(texts, texts, texts)
def test_files_merge_as_their_texts_do(base: bytes, ours: bytes, theirs: bytes) -> None:
    merged = merge(base, ours, theirs)
    if merged is not None:
        assert merge_files(base, ours, theirs) == Merged(merged)
