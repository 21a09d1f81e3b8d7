import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.hunks import Hunk, apply_hunks, hunks_between
from forge_lsp.changes.lines import lines_of

texts = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"}\n", b"\xef\xbb\xbfa\n", b"\xff\r", b"a"]),
    max_size=12,
).map(b"".join)


@given(texts, texts)
def test_all_hunks_give_after_and_none_give_before(before: bytes, after: bytes) -> None:
    hunks = hunks_between(before, after)
    assert apply_hunks(before, after, range(len(hunks))) == after
    assert apply_hunks(before, after, []) == before


@given(texts, texts)
def test_hunks_never_touch_and_what_lies_between_them_is_the_same(
    before: bytes, after: bytes
) -> None:
    before_lines, after_lines = lines_of(before), lines_of(after)
    top = left = 0
    for number, hunk in enumerate(hunks_between(before, after)):
        assert hunk.before_count or hunk.after_count
        assert number == 0 or hunk.before_start > top
        assert before_lines[top : hunk.before_start] == after_lines[left : hunk.after_start]
        top = hunk.before_start + hunk.before_count
        left = hunk.after_start + hunk.after_count
    assert before_lines[top:] == after_lines[left:]


@given(texts)
def test_a_text_does_not_differ_from_itself(text: bytes) -> None:
    assert hunks_between(text, text) == ()


def test_a_changed_line_in_the_middle_is_one_hunk() -> None:
    assert hunks_between("a\nb\nc\n", "a\nB\nc\n") == (Hunk(1, 1, 1, 1),)


def test_a_lost_final_newline_is_a_hunk_of_the_last_line() -> None:
    assert hunks_between(b"a\nb\n", b"a\nb") == (Hunk(1, 1, 1, 1),)


def test_only_lf_ends_a_line() -> None:
    assert hunks_between("a\u2028b\x0cc\rd\n", "a\u2028b\x0cc\rD\n") == (Hunk(0, 1, 0, 1),)


def test_one_hunk_of_two_is_taken_over() -> None:
    before, after = b"1\r\n2\r\n3\r\n4\r\n5", b"one\r\n2\r\n3\r\n4\r\nfive\r\n"
    assert apply_hunks(before, after, {1}) == b"1\r\n2\r\n3\r\n4\r\nfive\r\n"
    assert apply_hunks(before, after, {0}) == b"one\r\n2\r\n3\r\n4\r\n5"


@pytest.mark.parametrize("index", [-1, 1])
def test_a_hunk_that_is_not_there_can_not_be_chosen(index: int) -> None:
    with pytest.raises(IndexError):
        apply_hunks(b"a\n", b"b\n", [index])


def test_lines_that_differ_only_in_a_lone_surrogate_differ() -> None:
    assert len(hunks_between("\ud800\n", "\ud801\n")) == 1


LINES = 20_000


def shuffled(lines: list[str]) -> list[str]:
    result = list(lines)
    random.Random(1).shuffle(result)
    return result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["}"] * LINES, ["}"] * (LINES // 2) + ["x"] + ["}"] * LINES),
        (["a", "b"] * (LINES // 2), ["b", "a", "c"] * (LINES // 3)),
        ([str(n) for n in range(LINES)], [str(n) for n in reversed(range(LINES))]),
        ([str(n) for n in range(LINES)], shuffled([str(n) for n in range(LINES)])),
        ([str(n % 140) for n in range(LINES)], shuffled([str(n % 140) for n in range(LINES)])),
        ([str(n // 2) for n in range(LINES)], shuffled([str(n // 2) for n in range(LINES)])),
    ],
)
def test_a_file_of_20_000_lines_is_compared_in_bounded_time(
    before: list[str], after: list[str]
) -> None:
    old = "".join(f"{line}\n" for line in before).encode()
    new = "".join(f"{line}\n" for line in after).encode()
    started = time.perf_counter()
    hunks = hunks_between(old, new)
    # Comparing every line with every other one would take minutes.
    assert time.perf_counter() - started < 10
    assert apply_hunks(old, new, range(len(hunks))) == new


def test_two_small_changes_in_20_000_lines_are_two_small_hunks() -> None:
    before = [f"line {n % 500}\n" for n in range(LINES)]
    after = [*before[:100], "new\n", *before[100:19_000], *before[19_001:]]
    hunks = hunks_between("".join(before), "".join(after))
    assert hunks == (Hunk(100, 0, 100, 1), Hunk(19_000, 1, 19_001, 0))
