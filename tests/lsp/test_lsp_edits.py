"""Edits from bytes before and after, in each encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsp_wire import apply_text_edits
from lsprotocol import types
from pygls.workspace.position_codec import PositionCodec

from forge_lsp.lsp.documents import lines_of_document
from forge_lsp.lsp.edits import file_edits, text_edits, text_of

ENCODINGS = ("utf-8", "utf-16", "utf-32")
PIECES = ["a", "b", "é", "😀", "\U0001d4b3", "\n", "\r\n", "\r", " ", "\u2028", "\x0c", "x = 1;\n"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def edited(before: str, after: str, encoding: str) -> str:
    edits = text_edits(before, after, PositionCodec(encoding).client_num_units)
    wire = [
        {
            "range": {
                "start": {"line": e.range.start.line, "character": e.range.start.character},
                "end": {"line": e.range.end.line, "character": e.range.end.character},
            },
            "newText": e.new_text,
        }
        for e in edits
    ]
    return apply_text_edits(before, wire, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(before=TEXTS, after=TEXTS)
def test_the_edits_make_after_of_before(encoding: str, before: str, after: str) -> None:
    assert edited(before, after, encoding) == after


@pytest.mark.parametrize(
    ("encoding", "column"), [("utf-8", 5 + 4), ("utf-16", 5 + 2), ("utf-32", 5 + 1)]
)
def test_the_end_of_a_last_line_counts_as_the_client_does(encoding: str, column: int) -> None:
    (edit,) = text_edits("one\nabcde😀", "one\nx", PositionCodec(encoding).client_num_units)
    assert (edit.range.start.line, edit.range.start.character) == (1, 0)
    assert (edit.range.end.line, edit.range.end.character) == (1, column)


def test_only_the_changed_lines_are_edited() -> None:
    before = "".join(f"line {n}\r\n" for n in range(100))
    after = before.replace("line 40\r\n", "LINE 40\r\n").replace("line 90\r\n", "")
    first, second = text_edits(before, after, len)
    assert (first.range.start.line, first.range.end.line) == (40, 41)
    assert first.new_text == "LINE 40\r\n"
    assert (second.range.start.line, second.range.end.line, second.new_text) == (90, 91, "")


def test_the_same_text_takes_no_edit() -> None:
    assert text_edits("a\nb", "a\nb", len) == []
    assert text_edits("", "", len) == []


def test_a_new_file_is_created_without_options_and_then_filled() -> None:
    create, fill = file_edits("file:///p/a.ts", None, text_edits("", "x\n", len), create=True)
    assert create == types.CreateFile("file:///p/a.ts")
    assert isinstance(fill, types.TextDocumentEdit)
    edit = fill.edits[0]
    assert (edit.range.start.line, edit.range.end.line, edit.range.end.character) == (0, 1, 0)
    assert fill.text_document.version is None


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"\xc3"])
def test_what_is_not_text_has_no_text(content: bytes) -> None:
    assert text_of(content) is None


def test_the_mark_is_no_part_of_the_text() -> None:
    assert text_of(b"\xef\xbb\xbfa") == "a"


def test_lines_end_as_the_specification_has_it() -> None:
    text = "a\rb\nc\r\nd\u2028e\x0cf"
    assert list(lines_of_document(text)) == ["a\r", "b\n", "c\r\n", "d\u2028e\x0cf"]
    assert list(lines_of_document("")) == []


@given(TEXTS)
def test_lines_joined_are_the_text(text: str) -> None:
    assert "".join(lines_of_document(text)) == text
