import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath

PATH = ProjectPath.parse("src/App.tsx")

texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"}\n", b"end"]), max_size=12)
contents = st.none() | texts.map(b"".join)


def change(before: bytes | None, after: bytes | None) -> FileChange:
    return FileChange(PATH, before, after)


def accept(it: FileChange, workspace: bytes | None, hunk: int | None = None) -> FileChange:
    """An accept in a workspace that holds exactly what the change was made for."""
    assert workspace == it.before
    return it.accepted(workspace, it.wanted(hunk), hunk)


@given(contents, contents)
def test_accepting_and_undoing_gives_the_same_bytes(
    before: bytes | None, after: bytes | None
) -> None:
    done = accept(change(before, after), before)
    assert done.state == "accepted"
    assert done.undo_from == after
    assert done.can_undo == (before != after)
    assert done.undo_to == before
    assert done.undone().state == "undone"
    assert not done.undone().can_undo


@given(st.data(), contents, contents)
def test_accepting_hunks_in_any_order_ends_with_after(
    data: st.DataObject, before: bytes | None, after: bytes | None
) -> None:
    it = change(before, after)
    for _ in range(50):
        if not it.hunks:
            break
        it = accept(it, it.before, data.draw(st.integers(0, len(it.hunks) - 1)))
        assert it.undo_to == before
        assert it.undo_from == it.before
    if (before or b"") != (after or b""):
        assert it.state == "accepted"
        assert it.before == after


@given(st.data(), contents, contents)
def test_rejecting_hunks_in_any_order_ends_with_before(
    data: st.DataObject, before: bytes | None, after: bytes | None
) -> None:
    it = change(before, after)
    for _ in range(50):
        if not it.hunks:
            break
        it = it.rejected(data.draw(st.integers(0, len(it.hunks) - 1)))
    assert it.before == before
    if (before or b"") != (after or b""):
        assert it.state == "rejected"
        assert it.after == before


def test_the_rest_can_be_rejected_after_a_hunk_was_accepted() -> None:
    it = accept(change(b"1\n2\n3\n", b"one\n2\nthree\n"), b"1\n2\n3\n", 0)
    assert it.state == "pending"
    it = it.rejected()
    assert it.state == "accepted"
    assert (it.undo_from, it.undo_to) == (b"one\n2\n3\n", b"1\n2\n3\n")


def test_what_was_typed_between_two_accepts_outlives_the_undo() -> None:
    it = change(b"1\n2\n3\n4\n5\n", b"one\n2\n3\n4\nfive\n").accepted(
        b"1\n2\n3\n4\n5\n", b"one\n2\n3\n4\n5\n", 0
    )
    it = it.accepted(b"one\n2\ntyped\n4\n5\n", b"one\n2\ntyped\n4\nfive\n", 0)
    assert it.undo_from == b"one\n2\ntyped\n4\nfive\n"
    assert it.undo_to == b"1\n2\ntyped\n4\n5\n"


def test_typing_that_does_not_merge_leaves_only_the_last_accept_to_undo() -> None:
    it = change(b"1\n2\n3\n", b"one\n2\nthree\n").accepted(b"1\n2\n3\n", b"one\n2\n3\n", 0)
    it = it.accepted(b"my one\n2\n3\n", b"my one\n2\nthree\n", 0)
    assert it.undo_to == b"my one\n2\n3\n"
    assert it.undo_from == b"my one\n2\nthree\n"


def test_a_file_that_came_and_was_typed_in_is_not_deleted_by_the_undo() -> None:
    it = change(None, b"a\n").accepted(None, b"a\n")
    it = it.accepted(b"a\nmine\n", b"a\nmine\n")
    assert it.undo_to == b"a\nmine\n"
    assert not it.can_undo


def test_an_accept_that_changed_nothing_leaves_nothing_to_undo() -> None:
    it = change(b"a\n", b"b\n").accepted(b"b\n", b"b\n")
    assert it.state == "accepted"
    assert not it.can_undo


def test_the_only_hunk_of_a_new_file_is_the_file() -> None:
    it = change(None, b"a\nb\n")
    assert len(it.hunks) == 1
    assert it.wanted(0) == b"a\nb\n"
    assert it.rejected(0).after is None


def test_the_only_hunk_of_a_deleted_file_is_the_file() -> None:
    it = change(b"a\nb\n", None)
    assert it.wanted(0) is None
    assert it.rejected(0).state == "rejected"


@pytest.mark.parametrize("hunk", [-1, 1])
def test_a_hunk_that_is_not_there_is_refused_by_name(hunk: int) -> None:
    it = change(b"a\n", b"b\n")
    for decide in (it.wanted, it.rejected):
        with pytest.raises(NotFound, match=r"src/App\.tsx"):
            decide(hunk)
    with pytest.raises(NotFound):
        it.accepted(b"a\n", b"b\n", hunk)


def test_a_set_knows_what_is_pending_and_what_can_be_undone() -> None:
    other = FileChange(ProjectPath.parse("b.ts"), b"1\n", b"2\n")
    files = ChangeSet("run_1", "file:///p", "t", 0, (change(b"a\n", b"b\n"), other))
    assert files.pending == files.files
    files = files.with_file(change(b"a\n", b"b\n").accepted(b"a\n", b"b\n"))
    assert files.pending == (other,)
    assert [it.path for it in files.undoable] == [PATH]
    files = files.with_file(other.rejected())
    assert not files.is_pending
    assert files.file("b.ts") == other.rejected()
    assert files.file("c.ts") is None


LINES = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"
ENDS = b"x\n2\n3\n4\n5\n6\n7\n8\nx\n"


def test_a_hunk_is_known_again_after_another_was_decided() -> None:
    it = change(LINES, ENDS)
    accepted = it.accepted(LINES, it.wanted(0), 0)
    assert accepted.hunk_of(it, 1) == 0
    assert accepted.hunk_of(it, 0) is None
    assert it.rejected(0).hunk_of(it, 1) == 0
    assert it.rejected(0).hunk_of(it, 0) is None
    assert it.hunk_of(it, 2) is None


def test_of_two_alike_the_one_that_is_left_is_not_taken_for_the_other() -> None:
    it = change(b"a\n1\n2\na\n", b"b\n1\n2\nb\n")
    for decided in (it.rejected(0), it.accepted(it.before, it.wanted(0), 0)):
        assert decided.hunk_of(it, 0) is None
        assert decided.hunk_of(it, 1) == 0


def test_lines_are_counted_but_those_of_what_is_not_text() -> None:
    it = change(LINES, ENDS).counted()
    assert (it.added, it.removed) == (2, 2)
    it = change(None, b"1\n2\n").counted()
    assert (it.added, it.removed) == (2, 0)
    it = change(b"\x00\n", b"\x01\n").counted()
    assert (it.added, it.removed) == (0, 0)


def test_when_it_was_accepted_is_known_as_long_as_it_can_be_undone() -> None:
    it = change(b"a\n", b"b\n")
    assert it.accepted_at is None
    it = it.accepted(b"a\n", b"b\n", at=7)
    assert it.accepted_at == 7
    assert it.undone().accepted_at is None
    assert change(b"a\n", b"b\n").accepted(b"b\n", b"b\n", at=7).accepted_at is None
