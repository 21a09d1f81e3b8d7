"""Hunks stay with their lines while somebody types."""

import time

from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.hunks import hunks_between
from forge_lsp.changes.placement import Placement

TEN = [f"line {number}" for number in range(10)]
AFTER = [*TEN[:4], "FOUR", "FIVE", *TEN[6:]]
(CHANGED,) = hunks_between("\n".join(TEN), "\n".join(AFTER))
(ADDED,) = hunks_between("\n".join(TEN), "\n".join([*TEN[:4], "new", *TEN[4:]]))
texts = st.lists(st.sampled_from(["a", "b", "c", "", "}"]), max_size=12)


def test_nothing_typed_nothing_moved() -> None:
    assert Placement.of(TEN).rows(CHANGED) == (4, 5)
    assert Placement.of(TEN).rows(ADDED) == (4, 4)


def test_lines_typed_above_move_it_down_and_lines_deleted_there_up() -> None:
    assert Placement.of(TEN).typed(["x", "y", *TEN]).rows(CHANGED) == (6, 7)
    assert Placement.of(TEN).typed(TEN[3:]).rows(CHANGED) == (1, 2)
    assert Placement.of(TEN).typed([*TEN[:4], "x", *TEN[4:]]).rows(ADDED) == (5, 5)


def test_what_is_typed_below_moves_nothing() -> None:
    assert Placement.of(TEN).typed([*TEN[:8], "x", "y", *TEN[8:]]).rows(CHANGED) == (4, 5)


def test_a_line_typed_inside_makes_it_longer() -> None:
    assert Placement.of(TEN).typed([*TEN[:5], "x", *TEN[5:]]).rows(CHANGED) == (4, 6)


def test_where_its_own_lines_were_rewritten_it_is_at_the_nearest() -> None:
    assert Placement.of(TEN).typed([*TEN[:4], "mine", "my own", *TEN[6:]]).rows(CHANGED) == (4, 5)
    assert Placement.of(TEN).typed([*TEN[:4], "mine", *TEN[6:]]).rows(CHANGED) == (4, 4)
    assert Placement.of(TEN).typed([*TEN[:4], *TEN[6:]]).rows(CHANGED) == (4, 4)
    assert Placement.of(TEN).typed([*TEN[:2], *TEN[8:]]).rows(ADDED) == (2, 2)


def test_it_finds_back_when_the_typing_is_taken_back() -> None:
    placement = Placement.of(TEN)
    for lines in (["x", *TEN], ["x", *TEN[:4], "mine", *TEN[6:]], [], ["x"], TEN):
        placement = placement.typed(lines)
    assert placement.rows(CHANGED) == (4, 5)


def test_several_places_are_followed_one_keystroke_after_the_other() -> None:
    placement = Placement.of(TEN)
    for lines in (["x", *TEN], ["x", *TEN, "y"], ["x", *TEN[:3], *TEN[4:], "y"]):
        placement = placement.typed(lines)
    assert placement.rows(CHANGED) == (4, 5)


def test_an_emptied_text_and_a_new_one_have_a_place_for_it_too() -> None:
    assert Placement.of(TEN).typed([""]).rows(CHANGED) == (0, 0)
    assert Placement.of([]).typed([]).rows(ADDED) == (0, 0)


@given(texts, texts, st.lists(texts, max_size=4))
def test_it_is_always_within_the_text(
    before: list[str], after: list[str], typed: list[list[str]]
) -> None:
    placement = Placement.of(before)
    for lines in typed:
        placement = placement.typed(lines)
    for hunk in hunks_between("\n".join(before), "\n".join(after)):
        first, last = placement.rows(hunk)
        assert 0 <= first <= last <= max(len(placement.now) - 1, 0)


@given(texts, st.lists(texts, max_size=4))
def test_the_blocks_are_lines_that_both_have(before: list[str], typed: list[list[str]]) -> None:
    placement = Placement.of(before)
    for lines in typed:
        placement = placement.typed(lines)
    top = left = 0
    for block in placement.blocks:
        assert (block.before, block.after) >= (top, left)
        assert block.before >= top
        top, left = block.before + block.size, block.after + block.size
        here, there = placement.now[block.after : left], before[block.before : top]
        assert len(here) == block.size
        assert here == there


def test_a_keystroke_in_a_long_text_costs_milliseconds() -> None:
    lines = [f"const value_{number} = {number};" for number in range(20_000)]
    placement = Placement.of(lines)
    took: list[float] = []
    for number in range(50):
        # By turns at both ends, so that all that lies between differs from what was before.
        lines = [*lines[:9], f"typed {number}", *lines[9:-9], f"typed {number}", *lines[-9:]]
        started = time.perf_counter()
        placement = placement.typed(lines)
        took.append(time.perf_counter() - started)
        lines = ["above", *lines]
        started = time.perf_counter()
        placement = placement.typed(lines)
        took.append(time.perf_counter() - started)
    assert sorted(took[1::2])[25] < 0.02
