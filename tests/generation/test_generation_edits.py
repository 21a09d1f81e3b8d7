import contextlib
import time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forge_lsp.generation.blocks import BlocksRefused, parse_blocks
from forge_lsp.generation.edits import apply_blocks, elides_code, needs_whole_file
from forge_lsp.generation.elision import is_elision
from forge_lsp.generation.reply import SearchReplace


def edited(original: str, *blocks: tuple[str, str]) -> str | None:
    return apply_blocks(original, [SearchReplace(*block) for block in blocks]).content


def reasons(original: str, *blocks: tuple[str, str]) -> list[tuple[int, str]]:
    result = apply_blocks(original, [SearchReplace(*block) for block in blocks])
    assert result.content is None
    return [(failure.index, failure.reason) for failure in result.failures]


unique_lines = st.lists(
    st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1, max_size=8),
    min_size=1,
    max_size=10,
    unique_by=str.strip,
)


@given(st.data(), unique_lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_an_edit_that_applies_changes_exactly_its_lines(
    data: st.DataObject, lines: list[str], line_end: str, ends: Any, in_crlf: Any
) -> None:
    start = data.draw(st.integers(0, len(lines) - 1))
    stop = data.draw(st.integers(start + 1, len(lines)))
    new = data.draw(unique_lines)
    assume(any(line.strip() for line in lines[start:stop]))
    assume(not any(is_elision(line) for line in new))
    # A single line without an end doesn't say how the file ends its lines.
    assume(ends or len(lines) > 1 or line_end == "\n")
    original = line_end.join(lines) + (line_end if ends else "")
    written = "\r\n" if in_crlf else "\n"
    block = (
        "".join(line + written for line in lines[start:stop]),
        "".join(line + written for line in new),
    )
    expected = line_end.join([*lines[:start], *new, *lines[stop:]]) + (line_end if ends else "")
    assert edited(original, block) == expected


@given(st.text(), st.lists(st.builds(SearchReplace, st.text(), st.text()), max_size=5))
def test_no_edit_raises_and_a_failed_one_gives_nothing(
    original: str, blocks: list[SearchReplace]
) -> None:
    result = apply_blocks(original, blocks)
    assert (result.content is None) == bool(result.failures)


def test_blocks_are_looked_up_in_the_original_in_any_order() -> None:
    assert edited("a\nb\nc\n", ("c\n", "a\n"), ("a\n", "c\nc\n")) == "c\nc\nb\na\n"


def test_lines_are_removed_and_inserted() -> None:
    assert edited("a\nb\nc\n", ("b\n", "")) == "a\nc\n"
    assert edited("a\nb\n", ("a\n", "a\nnew\n")) == "a\nnew\nb\n"
    assert edited("a\nb", ("b\n", "b\nc\n")) == "a\nb\nc"
    assert edited("a", ("a\n", "")) == ""


def test_all_is_refused_where_one_block_fails() -> None:
    assert reasons("a\nb\n", ("a\n", "x\n"), ("missing\n", "y\n")) == [
        (1, "its SEARCH isn't in the file")
    ]


def test_a_search_that_stands_twice_is_refused() -> None:
    assert reasons("a\nb\na\n", ("a\n", "x\n")) == [
        (0, "its SEARCH stands in the file more than once")
    ]


def test_a_search_is_never_looked_for_within_a_line() -> None:
    assert edited("let abc = 1;\n", ("abc\n", "x\n")) is None


def test_an_exact_match_is_preferred_to_one_but_for_space() -> None:
    assert edited("a \na\n", ("a\n", "x\n")) == "a \nx\n"


def test_space_at_line_ends_is_forgiven_and_kept_on_the_lines_that_stay() -> None:
    assert edited("a  \nb\t\nc\n", ("a\nb\n", "a\nx\n")) == "a  \nx\nc\n"


def test_line_ends_stay_those_of_the_file() -> None:
    assert edited("a\r\nb\r\nc\r\n", ("b\n", "x\ny\n")) == "a\r\nx\r\ny\r\nc\r\n"
    assert edited("a\nb\nc\n", ("b\r\n", "x\r\ny\r\n")) == "a\nx\ny\nc\n"
    assert edited("a\r\nb", ("b\n", "b\nc\n")) == "a\r\nb\r\nc"


def test_a_byte_order_mark_stays() -> None:
    assert edited("\ufeffa\nb\n", ("a\n", "x\n")) == "\ufeffx\nb\n"


def test_an_indent_that_all_lines_lack_is_added() -> None:
    original = "function f() {\n    if (x) {\n\n        y();\n    }\n}\n"
    block = ("if (x) {\n\n    y();\n}\n", "if (z) {\n    y();\n\n    w();\n}\n")
    assert edited(original, block) == (
        "function f() {\n    if (z) {\n        y();\n\n        w();\n    }\n}\n"
    )


def test_an_indent_that_all_lines_have_too_much_is_taken_away() -> None:
    assert edited("if (x) {\n  y();\n}\n", ("  if (x) {\n    y();\n  }\n", "  z();\n")) == "z();\n"
    assert edited("\ta();\n\tb();\n", ("\t\ta();\n", "\t\tc();\n\t\td();\n")) == (
        "\tc();\n\td();\n\tb();\n"
    )


def test_an_indent_that_differs_from_line_to_line_is_refused() -> None:
    assert edited("  a\n    b\n", ("a\nb\n", "x\n")) is None


def test_a_replace_that_would_need_a_negative_indent_is_refused() -> None:
    assert edited("a\n", ("  a\n", "b\n")) is None


def test_an_indent_that_fits_in_two_places_is_refused() -> None:
    assert edited("  a\n    a\n", ("a\n", "x\n")) is None


@given(st.text("ab \n", max_size=30), st.text("ab \n", max_size=6), st.text("ab \n", max_size=6))
def test_only_space_may_differ(original: str, search: str, replace: str) -> None:
    result = edited(original, (search, replace))
    if result is not None and result != original and search.strip():
        assert "".join(search.split()) in "".join(original.split())


def test_what_was_made_before_is_left_alone() -> None:
    assert edited("a\nnew();\nc\n", ("old();\n", "new();\n")) == "a\nnew();\nc\n"


def test_lines_that_say_nothing_do_not_pass_for_made_before() -> None:
    assert edited("a\n}\n", ("old();\n", "}\n")) is None
    assert edited("a\n", ("old();\n", "")) is None


def test_overlapping_blocks_are_refused() -> None:
    assert reasons("a\nb\nc\n", ("a\nb\n", "x\n"), ("b\nc\n", "y\n")) == [
        (1, "its SEARCH overlaps with that of another block")
    ]


def test_the_same_block_twice_is_made_once() -> None:
    assert edited("a\nb\n", ("a\n", "x\n"), ("a\n", "x\n")) == "x\nb\n"


def test_an_empty_search_fills_an_empty_file_only() -> None:
    assert edited("", ("", "a\nb")) == "a\nb"
    assert edited("\n", ("", "a\n")) == "a\n"
    assert reasons("a\n", ("", "b\n"))[0][0] == 0


def test_code_is_not_replaced_by_a_comment_that_stands_for_it() -> None:
    block = ("a();\nb();\n", "a();\n// ... rest of the code stays the same\n")
    assert edited("a();\nb();\n", block) is None


def test_a_comment_that_the_file_has_itself_may_stay() -> None:
    comment = "// ... existing code ...\n"
    assert edited(f"{comment}a();\n", (f"{comment}a();\n", f"{comment}b();\n")) == (
        f"{comment}b();\n"
    )


def test_a_failure_shows_the_lines_that_come_nearest() -> None:
    original = "".join(f"line {n}\n" for n in range(50))
    (failure,) = apply_blocks(
        original, [SearchReplace("line 20\nline twenty-one\nline 22\n", "x\n")]
    ).failures
    assert failure.nearest.splitlines() == [f"line {n}" for n in range(17, 26)]
    (failure,) = apply_blocks(original, [SearchReplace("nothing\n", "x\n")]).failures
    assert failure.nearest == ""


@pytest.mark.parametrize(
    "line", ["=======", "<<<<<<< SEARCH", ">>>>>>> REPLACE", "======", "=======  "]
)
def test_a_file_with_lines_like_markers_has_to_be_written_whole(line: str) -> None:
    assert needs_whole_file(f"a\n{line}\nb\n")
    assert not needs_whole_file(f"a\n {line}x\n")


@pytest.mark.parametrize(
    "line",
    [
        "// ... rest of the code stays the same",
        "// rest of the code stays the same",
        "  // ... existing code ...",
        "/* existing styles remain unchanged */",
        "{/* ... rest of the component ... */}",
        "<!-- existing content -->",
        "# ... rest of the file",
        "// ...",
        "...",
        "// (rest of the component remains the same)",
        "// keep existing code here",
        "// Other functions remain the same",
        "// unchanged",
        "// omitted for brevity",
        "// no changes here",
        "// code remains the same",
        "// ... other imports",
        "{/* rest of the JSX stays the same */}",
        "// Rest of the code remains unchanged...",
        "// The rest of your code",
    ],
)
def test_a_line_that_stands_for_code_is_seen(line: str) -> None:
    assert elides_code(f"a();\n{line}\nb();\n")


@pytest.mark.parametrize(
    "line",
    [
        "// The order stays the same after sorting.",
        "// Existing users are greeted by name",
        "return (...args) => f(...args)",
        "// the rest of the items are rendered below",
        "# Rest",
        "const rest = 1; // ...",
        "// remaining time in ms",
        "// previous state is kept for undo",
        "// same origin only",
        "// imports",
        "// Previous state",
        "// Other functions",
        "// here",
        "// same",
        "// unchanged values are skipped",
        "* the rest of the world",
    ],
)
def test_an_ordinary_comment_does_not_stand_for_code(line: str) -> None:
    assert not elides_code(f"a();\n{line}\nb();\n")


@pytest.mark.parametrize(
    "line",
    [
        "// rest of the code" + " " * 150 + "x",
        "// existing code" + " is" * 55 + " x",
        "/*" + "*" * 190,
        "// " + "(" * 190,
        "// ... " + "the " * 45 + "same",
        "<!--" + "-" * 190 + "same",
        "// other existing " + "code." * 30,
    ],
)
def test_hostile_comments_are_read_in_linear_time(line: str) -> None:
    started = time.perf_counter()
    assert is_elision(line) == elides_code(f"{line}\n" * 5_000)
    assert time.perf_counter() - started < 5


@given(st.text(max_size=200))
def test_blocks_of_any_text_are_given_or_refused(body: str) -> None:
    with contextlib.suppress(BlocksRefused):
        assert parse_blocks(body)


@pytest.mark.parametrize(
    ("original", "search"),
    [
        ("}\n" * 20_000, "}\n" * 10_000 + "x\n"),
        ("  }\n" * 20_000, "}\n" * 10_000),
        ("a\nb\n" * 10_000, "a\nb\n" * 5_000 + "a\na\n"),
        (" " * 1_000_000, "x\n"),
        ("\n" * 200_000, "\n" * 1_000 + "x\n"),
    ],
)
def test_a_hostile_edit_costs_no_more_than_a_few_walks_through_the_file(
    original: str, search: str
) -> None:
    started = time.perf_counter()
    assert apply_blocks(original, [SearchReplace(search, "y\n")] * 20).content is None
    # Comparing line by line at every place would take minutes.
    assert time.perf_counter() - started < 20
