"""The demo's editor changes files as the protocol says."""

from pathlib import Path
from typing import Any

import pytest

from forge_lsp.cli.demo.workspace_edits import EditRefused, carry_out, edited


def edit_of(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": places[0], "end": places[1]}, "newText": text}


def created(place: Path) -> dict[str, Any]:
    return {"kind": "create", "uri": place.as_uri()}


def written(place: Path, *edits: dict[str, Any]) -> dict[str, Any]:
    return {"textDocument": {"uri": place.as_uri(), "version": None}, "edits": list(edits)}


@pytest.mark.parametrize(("encoding", "after"), [("utf-8", 5), ("utf-16", 3), ("utf-32", 2)])
def test_columns_count_in_the_encoding_that_was_agreed(encoding: str, after: int) -> None:
    text = "a😀b\n"
    assert edited(text, [edit_of((0, after), (0, after + 1), "c")], encoding) == "a😀c\n"


def test_all_ranges_speak_of_the_text_as_it_was() -> None:
    edits = [edit_of((0, 0), (1, 0), ""), edit_of((2, 0), (2, 3), "3")]
    assert edited("one\ntwo\nthree\n", edits, "utf-16") == "two\n3ee\n"


def test_inserts_at_one_place_keep_their_order() -> None:
    edits = [edit_of((0, 1), (0, 1), "b"), edit_of((0, 1), (0, 1), "c")]
    assert edited("ad", edits, "utf-16") == "abcd"


def test_lines_end_at_lf_crlf_and_cr_and_at_nothing_else() -> None:
    text = "one\u2028still\r\ntwo\rthree\n"
    assert edited(text, [edit_of((2, 0), (2, 5), "3")], "utf-16") == "one\u2028still\r\ntwo\r3\n"


def test_a_range_beyond_the_end_means_the_end() -> None:
    assert edited("", [edit_of((0, 0), (1, 0), "new\n")], "utf-16") == "new\n"


def test_a_column_beyond_the_line_means_its_end() -> None:
    assert edited("one\ntwo\n", [edit_of((0, 99), (0, 99), "!")], "utf-16") == "one!\ntwo\n"


def test_a_new_file_is_created_and_filled(tmp_path: Path) -> None:
    place = tmp_path / "src" / "New File.tsx"
    changes = [created(place), written(place, edit_of((0, 0), (1, 0), "text\n"))]
    carry_out({"documentChanges": changes}, tmp_path, "utf-16")
    assert place.read_text() == "text\n"


def test_a_file_that_exists_is_never_created_over(tmp_path: Path) -> None:
    place = tmp_path / "kept.txt"
    place.write_text("kept")
    with pytest.raises(FileExistsError):
        carry_out({"documentChanges": [created(place)]}, tmp_path, "utf-16")
    assert place.read_text() == "kept"


@pytest.mark.parametrize("uri", ["file:///etc/new", "file://{folder}/../new", "file://{link}/new"])
def test_nothing_is_written_outside_the_folder(tmp_path: Path, uri: str) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    change = {"kind": "create", "uri": uri.format(folder=folder, link=folder / "link")}
    with pytest.raises(EditRefused):
        carry_out({"documentChanges": [change]}, folder, "utf-16")
    assert not list(outside.iterdir())
    assert not (tmp_path / "new").exists()


def test_what_was_not_declared_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "kept.txt"
    place.write_text("kept")
    change = {"kind": "delete", "uri": place.as_uri()}
    with pytest.raises(EditRefused, match="delete"):
        carry_out({"documentChanges": [change]}, tmp_path, "utf-16")
    assert place.exists()
