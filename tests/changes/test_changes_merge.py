from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.merge import merge

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
