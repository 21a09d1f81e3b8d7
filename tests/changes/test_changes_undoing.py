"""Undo in any order, and restore: the algebra of accepted change sets."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_lsp.changes import undoing
from forge_lsp.changes.lines import lines_of
from forge_lsp.changes.merge import merge_files
from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import ChangedSince
from forge_lsp.paths import ProjectPath

PATH = ProjectPath.parse("src/App.tsx")
OTHER = ProjectPath.parse("src/Other.tsx")
TEXT = b"".join(b"line %d\n" % number for number in range(20))


@dataclass
class Workspace:
    """A file that change sets are accepted in, in turn, and that somebody types into."""

    content: bytes | None
    sets: dict[str, ChangeSet] = field(default_factory=dict[str, ChangeSet])
    clock: int = 0

    def accept(self, name: str, after: bytes | None) -> None:
        """A change is proposed for what is there, and accepted at once."""
        self.accept_of(name, FileChange(PATH, self.content, after))

    def accept_of(self, name: str, change: FileChange, hunk: int | None = None) -> None:
        self.clock += 1
        found = self.content
        merged = merge_files(change.before, found, change.wanted(hunk))
        assert merged is not None
        for each in undoing.accepted_again(change, found, list(self.sets.values()), name):
            self.sets[each.id] = each
        accepted = change.accepted(found, merged.content, hunk, at=self.clock)
        self.sets[name] = ChangeSet(name, "file:///app", name, self.clock, (accepted,))
        self.content = merged.content

    def undo(self, name: str) -> None:
        chosen = self.sets[name]
        plan = undoing.undo(chosen, list(self.sets.values()), {PATH: self.content})
        self.content = plan.targets.get(PATH, self.content)
        self.sets[name] = plan.undone
        self.sets |= {each.id: each for each in plan.later}

    def restore(self, name: str) -> None:
        at = self.sets[name].accepted_at
        assert at is not None
        targets = undoing.restore(at, list(self.sets.values()), {PATH: self.content})
        self.accept(f"restored {name}", targets.get(PATH, self.content))


def with_line(text: bytes, number: int, new: bytes) -> bytes:
    old = b"line %d\n" % number
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_three_changes_are_taken_back_in_any_order(order: tuple[str, ...]) -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.accept("b", with_line(there.content or b"", 10, b"B\nB\n"))
    there.accept("c", with_line(there.content or b"", 17, b""))
    left = {"a": (2, b"A\n"), "b": (10, b"B\nB\n"), "c": (17, b"")}
    for name in order:
        there.undo(name)
        del left[name]
        wanted = TEXT
        for number, new in left.values():
            wanted = with_line(wanted, number, new)
        assert there.content == wanted
    assert not any(each.undoable for each in there.sets.values())


def test_what_was_typed_between_and_after_stays() -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.content = with_line(there.content or b"", 6, b"typed\n")
    there.accept("b", with_line(there.content, 10, b"B\n"))
    there.content = with_line(there.content or b"", 17, b"typed too\n")
    for name in "ab":
        there.undo(name)
    assert there.content == with_line(with_line(TEXT, 6, b"typed\n"), 17, b"typed too\n")


def test_a_change_under_a_later_one_waits_for_that() -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.accept("b", (there.content or b"").replace(b"A\n", b"B\n"))
    with pytest.raises(ChangedSince, match=r"src/App\.tsx has changed since.* by “b”") as caught:
        there.undo("a")
    assert caught.value.remedy == "Undo that first."
    for name in "ba":
        there.undo(name)
    assert there.content == TEXT


def test_what_somebody_typed_in_the_same_lines_refuses_the_undo() -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.content = (there.content or b"").replace(b"A\n", b"mine\n")
    with pytest.raises(ChangedSince, match=r"src/App\.tsx has changed since"):
        there.undo("a")


def test_of_several_files_all_are_taken_back_or_none() -> None:
    files = tuple(
        FileChange(path, b"1\n", b"2\n").accepted(b"1\n", b"2\n") for path in (PATH, OTHER)
    )
    change_set = ChangeSet("a", "file:///app", "a", 0, files)
    with pytest.raises(ChangedSince, match="Other"):
        undoing.undo(change_set, [change_set], {PATH: b"2\n", OTHER: b"mine\n"})
    plan = undoing.undo(change_set, [change_set], {PATH: b"2\n", OTHER: b"1\n"})
    assert plan.targets == {PATH: b"1\n", OTHER: b"1\n"}


def test_a_file_that_came_is_deleted_unless_somebody_wrote_in_it() -> None:
    there = Workspace(None)
    there.accept("a", b"new\n")
    there.content = b"new\nmine\n"
    with pytest.raises(ChangedSince):
        there.undo("a")
    there.content = b"new\n"
    there.undo("a")
    assert there.content is None


def test_a_file_that_went_comes_back() -> None:
    there = Workspace(TEXT)
    there.accept("a", None)
    there.undo("a")
    assert there.content == TEXT


def test_what_came_and_went_again_can_be_taken_back_in_any_order() -> None:
    for order in ("ab", "ba"):
        there = Workspace(None)
        there.accept("a", b"new\n")
        there.accept("b", None)
        for name in order:
            if there.sets[name].undoable:
                there.undo(name)
        assert there.content is None


def test_hunks_accepted_before_and_after_another_change_go_together() -> None:
    for order in ("ab", "ba"):
        there = Workspace(TEXT)
        both = with_line(with_line(TEXT, 2, b"A\n"), 17, b"A\n")
        there.accept_of("a", FileChange(PATH, TEXT, both), hunk=0)
        there.accept("b", with_line(there.content or b"", 10, b"B\n"))
        (rest,) = there.sets["a"].files
        there.accept_of("a", rest)
        for name in order:
            there.undo(name)
        assert there.content == TEXT


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_restore_is_as_it_was_then_and_the_way_back_leads_back(name: str) -> None:
    there = Workspace(TEXT)
    states: dict[str, bytes | None] = {}
    for number, each in ((2, "a"), (10, "b"), (17, "c")):
        there.accept(each, with_line(there.content or b"", number, each.encode() + b"\n"))
        states[each] = there.content
    there.restore(name)
    assert there.content == states[name]
    there.undo(f"restored {name}")
    assert there.content == states["c"]
    for each in "bca":
        there.undo(each)
    assert there.content == TEXT


def test_a_restore_keeps_what_was_typed_since() -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.accept("b", with_line(there.content or b"", 10, b"B\n"))
    there.content = with_line(there.content or b"", 17, b"typed\n")
    there.restore("a")
    assert there.content == with_line(with_line(TEXT, 2, b"A\n"), 17, b"typed\n")


def test_a_restore_over_what_was_typed_in_the_same_lines_names_the_file() -> None:
    there = Workspace(TEXT)
    there.accept("a", with_line(TEXT, 2, b"A\n"))
    there.accept("b", with_line(there.content or b"", 10, b"B\n"))
    there.content = (there.content or b"").replace(b"B\n", b"mine\n")
    with pytest.raises(ChangedSince, match=r"src/App\.tsx has changed since, in the lines of “b”"):
        there.restore("a")


def test_after_a_restore_what_it_took_back_can_be_undone_too() -> None:
    there = Workspace(TEXT)
    for number, each in ((2, "a"), (10, "b"), (17, "c")):
        there.accept(each, with_line(there.content or b"", number, each.encode() + b"\n"))
    there.restore("a")
    for each in ("b", "a", "c"):
        if there.sets[each].undoable:
            there.undo(each)
    assert there.content == TEXT


lines = st.sampled_from([b"a\n", b"b\n", b"\n", b"}\n", b"c\r\n"])
texts = st.lists(lines, max_size=10).map(b"".join)


@st.composite
def edited(draw: st.DrawFn, text: bytes) -> bytes:
    """The text with some of its lines replaced by others, anywhere."""
    known = lines_of(text)
    start = draw(st.integers(0, len(known)))
    end = draw(st.integers(start, min(len(known), start + 3)))
    new = draw(st.lists(lines, max_size=3))
    return b"".join([*known[:start], *new, *known[end:]])


@given(st.data(), texts, st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_undoing_all_in_any_order_gives_the_first_bytes(
    data: st.DataObject, first: bytes, count: int
) -> None:
    there = Workspace(first)
    for number in range(count):
        there.accept(str(number), data.draw(edited(there.content or b"")))
    names = data.draw(st.permutations(list(there.sets)))
    undo_all(there, list(names))
    assert there.content == first


def undo_all(there: Workspace, names: list[str]) -> None:
    """In that order, but those that another stands upon once that is gone."""
    while names:
        for name in names:
            before = there.content, dict(there.sets)
            if not there.sets[name].undoable:
                break
            try:
                there.undo(name)
            except ChangedSince:
                assert (there.content, there.sets) == before
                continue
            break
        else:
            pytest.fail(f"none of {names} can be undone")
        names.remove(name)


@given(st.data(), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_what_nobody_changed_is_exact_with_typing_in_between(
    data: st.DataObject, count: int
) -> None:
    # Each line is somebody's: a change set's, the person's, or nobody's.
    total = 40
    numbers = data.draw(st.permutations(range(0, total, 2)))
    first = b"".join(b"line %d\n" % number for number in range(total))
    there = Workspace(first)
    typed: set[int] = set()
    for number in range(count):
        mine, theirs = numbers[2 * number], numbers[2 * number + 1]
        content = there.content or b""
        there.accept(str(number), with_line(content, theirs, b"changed %d\n" % theirs))
        there.content = with_line(there.content or b"", mine, b"typed %d\n" % mine)
        typed.add(mine)
    for name in data.draw(st.permutations(list(there.sets))):
        there.undo(name)
    wanted = [
        b"typed %d\n" % number if number in typed else b"line %d\n" % number
        for number in range(total)
    ]
    assert lines_of(there.content or b"") == wanted


@given(st.data(), texts)
@settings(max_examples=200, deadline=None)
def test_the_sets_that_are_left_say_what_the_file_holds(data: st.DataObject, first: bytes) -> None:
    there = Workspace(first)
    for number in range(4):
        there.accept(str(number), data.draw(edited(there.content or b"")))
    for name in data.draw(st.permutations(list(there.sets)))[:2]:
        if there.sets[name].undoable:
            try:
                there.undo(name)
            except ChangedSince:
                continue
    content = there.content
    for change, _ in undoing.after(0, list(there.sets.values())):
        assert change.undo_from == content
        content = change.undo_to
    assert content == first
