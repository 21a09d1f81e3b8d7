"""Merges that lean to one side where both changed the same lines."""

from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.merge import lean, merge

BASE = b"one\ntwo\nthree\nfour\nfive\n"
texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n", b"e"]), max_size=8).map(b"".join)


def test_where_both_changed_a_line_theirs_stands_and_ours_elsewhere() -> None:
    ours = BASE.replace(b"one", b"ONE").replace(b"five", b"mine")
    theirs = BASE.replace(b"five", b"theirs")
    assert merge(BASE, ours, theirs) is None
    assert lean(BASE, ours, theirs) == b"ONE\ntwo\nthree\nfour\ntheirs\n"


def test_where_both_only_added_lines_all_of_them_stand() -> None:
    ours = BASE.replace(b"two\n", b"two\nmine\n")
    theirs = BASE.replace(b"two\n", b"two\ntheirs\n")
    assert merge(BASE, ours, theirs) is None
    assert lean(BASE, ours, theirs) == BASE.replace(b"two\n", b"two\nmine\ntheirs\n")
    assert lean(BASE, BASE + b"mine", BASE + b"theirs") == BASE + b"mine\ntheirs"


@given(texts, texts, texts)
def test_it_is_the_merge_where_there_is_one(base: bytes, ours: bytes, theirs: bytes) -> None:
    merged = merge(base, ours, theirs)
    leaning = lean(base, ours, theirs)
    assert merged in (None, leaning)


@given(texts, texts)
def test_what_one_side_left_alone_is_the_others(base: bytes, changed: bytes) -> None:
    assert lean(base, base, changed) == changed
    assert lean(base, changed, base) == changed
