"""What the model is told of changes by hand, and when a change takes one back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.claude.demo.asked import parse
from forge_lsp.generation.by_hand import HandEdit, differs, takes_back, told_by_hand
from forge_lsp.generation.context import tokens_of
from forge_lsp.generation.prompts import request_text
from forge_lsp.paths import ProjectPath

APP = ProjectPath.parse("src/App.tsx")
B = ProjectPath.parse("src/b.ts")
LEFT = b"one\ntwo\nthree\nfour\nfive\n"
NOW = b"one\nTWO\nthree\nfour\nfive\nsix\n"
LINES = st.lists(
    st.sampled_from(["a\n", "b\n", "~~~~\n", "~~~~~ src/App.tsx\n", "@@\n"]), max_size=12
)
TEXTS = LINES.map("".join).map(str.encode)


def test_a_change_is_told_as_a_diff_with_the_wish_to_keep_it() -> None:
    told = told_by_hand([HandEdit(APP, LEFT, NOW)], 1_000)
    assert "Keep each of them" in told
    assert "+++ b/src/App.tsx" in told
    assert "-two\n+TWO\n" in told
    assert "+six\n" in told


def test_nothing_is_told_where_nothing_changed_or_there_is_no_room() -> None:
    assert told_by_hand([], 1_000) == ""
    assert told_by_hand([HandEdit(APP, LEFT, NOW)], 0) == ""


def test_a_deleted_file_is_named_and_one_that_came_back_is_shown() -> None:
    told = told_by_hand([HandEdit(APP, LEFT, None), HandEdit(B, None, b"mine\n")], 1_000)
    assert "Deleted by hand, so don't write them again: src/App.tsx." in told
    assert "+mine" in told
    assert "-one" not in told


def test_what_is_no_text_or_too_large_is_named() -> None:
    large = b"x\n" * 300_000
    edits = [HandEdit(APP, LEFT, b"\x00\xff"), HandEdit(B, LEFT, large)]
    told = told_by_hand(edits, 100_000)
    assert "not shown: src/App.tsx, src/b.ts." in told
    assert len(told) < 1_000


def test_the_largest_is_cut_and_says_so_and_the_small_stay_whole() -> None:
    many = b"".join(b"line %d\n" % number for number in range(1_000))
    edits = [HandEdit(APP, b"", many), HandEdit(B, LEFT, NOW)]
    told = told_by_hand(edits, 400)
    assert "more lines of this diff are not shown]" in told
    assert "+six\n" in told
    assert tokens_of(told) < 600
    assert "not shown: src/App.tsx" in told_by_hand(edits, 100)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), st.integers(1, 300))
def test_no_more_is_told_than_there_is_room_for(
    pairs: list[tuple[bytes, bytes]], budget: int
) -> None:
    edits = [
        HandEdit(ProjectPath.parse(f"src/{number}.ts"), left, now)
        for number, (left, now) in enumerate(pairs)
    ]
    assert tokens_of(told_by_hand(edits, budget)) <= budget + 150


@given(TEXTS, TEXTS)
def test_no_content_can_break_out_of_the_prompt(left: bytes, now: bytes) -> None:
    told = told_by_hand([HandEdit(B, left, now)], 10_000)
    asked = request_text(
        "Make it blue", selection=None, selection_path=None, edit_type="UPDATE_STYLE", by_hand=told
    )
    if left != now:
        opening = next(line for line in asked.splitlines() if line.startswith("~~~~"))
        assert asked.splitlines().count(opening) == 2, "it is closed where we close it"


def body_of(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def test_the_demo_model_reads_the_request_alone() -> None:
    told = told_by_hand([HandEdit(APP, LEFT, NOW)], 1_000)
    asked = request_text(
        "Add a reset button", selection="<p>", selection_path=None, edit_type=None, by_hand=told
    )
    assert parse(body_of(asked)).prompt == "Add a reset button"
    bare = request_text(
        "Add a reset button",
        selection=None,
        selection_path=None,
        edit_type="FIX_ISSUE",
        by_hand=told,
    )
    found = parse(body_of(bare))
    assert (found.prompt, found.files) == ("Add a reset button", {})


def test_line_ends_and_a_byte_order_mark_are_no_change() -> None:
    assert not differs(b"a\nb\n", b"\xef\xbb\xbfa\r\nb\r\n")
    assert differs(b"a\n", b"b\n")
    assert differs(None, b"")
    assert differs(b"", None)
    assert not differs(None, None)
    assert differs(b"\xff", b"\xfe")


def test_a_change_that_goes_back_takes_it_back() -> None:
    edit = HandEdit(APP, LEFT, NOW)
    assert takes_back(edit, LEFT)
    assert takes_back(edit, b"one\ntwo\nthree\nfour\nfive\nsix\n"), "one of two places"
    assert not takes_back(edit, NOW)
    assert not takes_back(edit, b"zero\n" + NOW)
    assert not takes_back(edit, NOW.replace(b"TWO", b"Two"))


def test_deletions_by_hand_can_be_taken_back_too() -> None:
    assert takes_back(HandEdit(APP, LEFT, None), LEFT)
    assert not takes_back(HandEdit(APP, LEFT, None), None)
    assert takes_back(HandEdit(APP, None, NOW), None)
    assert not takes_back(HandEdit(APP, None, NOW), LEFT)
    assert not takes_back(HandEdit(APP, LEFT, NOW), None), "to delete a file is no way back"


@given(TEXTS, TEXTS)
def test_to_keep_the_file_takes_nothing_back_and_to_restore_it_does(
    left: bytes, now: bytes
) -> None:
    edit = HandEdit(APP, left, now)
    assert not takes_back(edit, now)
    assert takes_back(edit, left) == (left != now)
