"""Insights: what of a critique's reply is one, and that it reads any text in any pieces."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_reading import cut

from forge_lsp.events import Insight, encode
from forge_lsp.generation.insights import (
    MAX_DETAIL_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_TAG_CHARACTERS,
    MOST_INSIGHTS,
    FoundInsight,
    InsightParser,
)
from forge_lsp.generation.reply import Prose

ONE = (
    '<insight kind="Accessibility" path="src/App.tsx" line="12" label="Button without a name">'
    "Give it one.</insight>\n"
)
PIECES = (
    "<insight",
    '<insight kind="bug" path="src/App.tsx" line="3" label="x">',
    "<insight label='a \"b\"'/>",
    "</insight>",
    "- ",
    "* ",
    "<",
    ' kind="',
    '"',
    ">",
    "/>",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "\t",
    "text",
    "`<img>`",
    "&quot;",
    "\x00",
    "\u2028",
    "ä",
    "x" * MAX_TAG_CHARACTERS,
)


def read(*pieces: str) -> tuple[str, list[FoundInsight]]:
    """The prose and the insights of a reply that comes in `pieces`."""
    parser = InsightParser()
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    prose = "".join(event.text for event in events if isinstance(event, Prose))
    return prose, [event for event in events if isinstance(event, FoundInsight)]


def only(text: str) -> FoundInsight:
    (found,) = read(text)[1]
    return found


def test_an_insight_is_taken_out_of_the_prose() -> None:
    prose, (found,) = read(f"# Review\n\nMostly good.\n{ONE}The end.\n")
    assert prose == "# Review\n\nMostly good.\nThe end.\n"
    assert found == FoundInsight(
        "accessibility", "Button without a name", "Give it one.", found.path, 12
    )
    assert found.path == "src/App.tsx"


def test_a_detail_may_stand_on_several_lines_and_hold_markup() -> None:
    text = '<insight kind="bug" label="x">Use\n`<img alt="">` &lt;\nhere.</insight> And so on.\n'
    prose, (found,) = read(text)
    assert found.detail == 'Use\n`<img alt="">` &lt;\nhere.'
    assert prose == " And so on.\n"


def test_attributes_may_be_written_in_many_ways() -> None:
    found = only(
        "  - <insight label='A &quot;b&quot; &amp; c' line=L7-9 path=src/a/b.ts >d</insight>"
    )
    assert (found.kind, found.label, found.path, found.line) == (
        "note",
        'A "b" & c',
        "src/a/b.ts",
        7,
    )
    assert only('<insight path="src/a.ts:31" label="x"/>').line == 31
    assert only('<insight path="./src/a.ts" label="x"/>').path == "src/a.ts"


def test_an_insight_without_a_label_takes_its_first_line_and_one_without_words_is_none() -> None:
    assert only("<insight kind='bug'>One thing.\nAnother.</insight>").label == "One thing."
    assert only("<insight label='x'/>").detail == "x"
    assert read("<insight kind='bug' path='a.ts' line='1'> </insight>\n<insight/>\n")[1] == []


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../secret", ".env", "a\x00b", "node_modules/x.js", "C:\\a", "a" * 1100],
)
def test_a_path_that_leads_nowhere_good_costs_the_place_alone(path: str) -> None:
    found = only(f'<insight path="{path}" line="3" label="x">d</insight>')
    assert (found.path, found.line, found.label) == (None, None, "x")


@pytest.mark.parametrize("line", ["", "zero", "-", "9" * 400, "٣"])
def test_a_line_that_is_no_number_is_none(line: str) -> None:
    assert only(f'<insight path="a.ts" line="{line}" label="x"/>').line is None


def test_an_insight_that_is_left_open_swallows_no_more_than_its_paragraph() -> None:
    prose, found = read(
        f"<insight label='a'>one\ntwo\n\nText.\n</insight>\n{ONE}<insight label='b'>end"
    )
    assert [(each.label, each.detail) for each in found] == [
        ("a", "one\ntwo"),
        ("Button without a name", "Give it one."),
        ("b", "end"),
    ]
    assert prose == "\nText.\n"


def test_another_insight_ends_the_one_before() -> None:
    assert [each.label for each in read(f"<insight label='a'>one\n{ONE}")[1]] == [
        "a",
        "Button without a name",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "an <insight label='x'>in a line</insight>\n",
        "<insights label='x'>\n",
        "<insight label='x'\n",
        '<insight label="a "b"">\n',
        "<insight" + " " * MAX_TAG_CHARACTERS + "label='x'>\n",
    ],
)
def test_what_is_no_insight_is_prose(text: str) -> None:
    assert read(text) == (text, [])


def test_long_words_are_cut_and_no_more_than_so_many_are_taken() -> None:
    found = only(f"<insight label='{'l' * 500}'>{'d' * 9_000}</insight>")
    assert len(found.label) == MAX_LABEL_CHARACTERS
    assert len(found.detail) == MAX_DETAIL_CHARACTERS
    prose, many = read(ONE * (MOST_INSIGHTS + 50))
    assert (prose, len(many)) == ("", MOST_INSIGHTS)


def test_prose_passes_as_it_comes() -> None:
    parser = InsightParser()
    assert parser.feed("Some") == [Prose("Some")]
    assert parser.feed(" words\n<ins") == [Prose(" words\n")]
    assert parser.feed("ide>") == [Prose("<inside>")]


@given(st.lists(st.sampled_from(PIECES)), st.lists(st.integers(0, 3 * MAX_TAG_CHARACTERS)))
def test_any_chunking_gives_the_same(pieces: Sequence[str], places: Sequence[int]) -> None:
    text = "".join(pieces)
    assert read(*cut(text, places)) == read(text)


@given(st.lists(st.sampled_from([*PIECES[:-1]])))
def test_single_characters_give_the_same(pieces: Sequence[str]) -> None:
    text = "".join(pieces)
    assert read(*text) == read(text)


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(categories=None)))))
def test_hostile_text_never_raises_and_can_be_recorded(pieces: Sequence[str]) -> None:
    for found in read(*pieces)[1]:
        assert found.label == " ".join(found.label.split())
        assert found.label
        assert (found.line or 1) >= 1
        encode(Insight(found.kind, found.label, found.detail, found.path, found.line))


def test_it_is_linear_in_one_endless_line() -> None:
    took: list[float] = []
    for count in (20_000, 160_000):
        pieces = ["<insight label='x'>", *["abcd"] * count]
        start = time.perf_counter()
        read(*pieces)
        took.append(time.perf_counter() - start)
    assert took[1] < 8 * 4 * took[0]
