"""What a workspace lacks of a fragment: pure, by what the versions tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.actions.lacking import (
    MERGED,
    OUTSIDE,
    REVIEWED,
    SAVED,
    TAKEN_OVER,
    Combined,
    EditElsewhere,
    edits_elsewhere,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep

A = ProjectPath.parse("a.ts")
FIRST = b"one\ntwo\nthree\n"
EDITED = b"one\ntwo\nTHREE\n"
texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d"]), max_size=6).map(b"".join)
optional = st.none() | texts
reasons = st.sampled_from([SAVED, OUTSIDE, REVIEWED, TAKEN_OVER, MERGED, "Edited"])


def steps(*made: tuple[str, bytes | None]) -> list[FragmentStep]:
    """Versions of one file, from the first on."""
    return [FragmentStep(number, why, A, each) for number, (why, each) in enumerate(made, 1)]


def lacking(*made: tuple[str, bytes | None], own: tuple[int, ...] = ()) -> EditElsewhere | None:
    return edits_elsewhere(steps(*made), 1, own=own).get(A)


def test_an_edit_is_lacking_until_the_workspace_has_made_a_version() -> None:
    made = (("Generated", FIRST), ("Edited", EDITED), (SAVED, b"mine\n"))
    edit = EditElsewhere((FIRST,), EDITED, (b"mine\n",), 2)
    assert lacking(*made[:2]) == EditElsewhere((FIRST,), EDITED, (), 2)
    assert lacking(*made) == edit
    assert lacking(*made, own=(3,)) is None
    assert lacking(*made[:2], (REVIEWED, b"mine\n")) is None


def test_saves_alone_are_no_edits() -> None:
    assert lacking(("Generated", FIRST), (SAVED, EDITED), (OUTSIDE, FIRST)) is None


@pytest.mark.parametrize("dressed", [FIRST, FIRST.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + FIRST])
def test_line_ends_and_marks_are_the_workspaces(dressed: bytes) -> None:
    edit = EditElsewhere((FIRST,), EDITED)
    ours = dressed.replace(b"one", b"ONE")
    assert edit.combined(ours) == Combined(ours.replace(b"three", b"THREE"))


def test_of_what_the_file_was_that_counts_which_the_workspace_was_made_of() -> None:
    first = FIRST + b"four\nfive\n"
    saved = first.replace(b"one", b"ONE")
    theirs = saved.replace(b"three", b"THREE")
    edit = EditElsewhere((first, saved), theirs)
    typed = b"// typed\n"
    assert edit.combined(first + typed) == Combined(theirs + typed)
    assert edit.combined(saved + typed) == Combined(theirs + typed)
    assert edit.combined(first) == edit.combined(saved) == Combined(theirs)


def test_what_was_made_of_the_edit_lacks_nothing_of_it() -> None:
    edit = EditElsewhere((FIRST,), EDITED, (EDITED + b"// more\n",))
    for ours in (EDITED, EDITED + b"// more\n", EDITED + b"// more\n// yet\n"):
        assert edit.combined(ours) == Combined(ours)


def test_a_collision_leans_to_the_edit_and_keeps_what_does_not_collide() -> None:
    ours = FIRST.replace(b"three", b"3").replace(b"one", b"ONE")
    combined = EditElsewhere((FIRST,), EDITED).combined(ours)
    assert combined == Combined(EDITED.replace(b"one", b"ONE"), collides=True)
    assert EditElsewhere((FIRST,), None).combined(ours) == Combined(None, collides=True)
    assert EditElsewhere((None,), EDITED).combined(ours) == Combined(EDITED, collides=True)
    assert EditElsewhere((FIRST,), EDITED).combined(None) == Combined(EDITED, collides=True)


@given(st.lists(optional, min_size=1, max_size=3), optional, st.lists(optional, max_size=2))
def test_what_has_the_edit_or_nothing_else_is_never_a_collision(
    before: list[bytes | None], theirs: bytes | None, after: list[bytes | None]
) -> None:
    edit = EditElsewhere(tuple(before), theirs, tuple(after))
    for ours in (theirs, *before, *after):
        combined = edit.combined(ours)
        assert not combined.collides
        assert combined.content in (ours, theirs)


@given(st.lists(st.tuples(reasons, optional), min_size=1, max_size=6), optional)
def test_bringing_an_edit_twice_is_bringing_it_once(
    made: list[tuple[str, bytes | None]], ours: bytes | None
) -> None:
    edit = lacking(("Generated", FIRST), *made)
    if edit is None:
        return
    once = edit.combined(ours)
    if not once.collides:
        assert edit.combined(once.content).collides is False
