"""What the bar says after each event."""

import pytest

from forge_lsp import events
from forge_lsp.lsp.progress import ProgressText, short_count


def after(*happened: events.Event) -> ProgressText:
    text = ProgressText()
    for event in happened:
        text.take(event)
    return text


def test_a_stage_is_shown_as_it_is_told() -> None:
    assert after(events.Stage("Analyzing request...")).message == "Analyzing request..."


def test_writing_names_the_file_the_tokens_and_the_place() -> None:
    text = after(
        events.Stage("Planned", 2, 5),
        events.FileStarted("src/A.tsx", "create"),
        events.FileFinished("src/A.tsx", ""),
        events.FileStarted("src/B.tsx", "create"),
        events.FileFinished("src/B.tsx", ""),
        events.FileStarted("src/Counter.tsx", "create"),
        events.TextDelta("x" * 4800, 0),
    )
    assert text.message == "Writing src/Counter.tsx · 1.2k tokens · 3/5"


def test_without_a_plan_the_files_are_counted() -> None:
    text = after(events.FileStarted("a.ts", "edit"), events.TextDelta("x" * 40, 0))
    assert text.message == "Writing a.ts · 10 tokens · file 1"


def test_the_percentage_never_goes_back_nor_reaches_the_end() -> None:
    text = ProgressText()
    shown: list[int] = []
    for event in (
        events.Stage("a", 5, 5),
        events.Stage("b", 1, 5),
        events.FileStarted("a.ts", "edit"),
        *(events.TextDelta("x" * 100_000, n) for n in range(20)),
    ):
        text.take(event)
        shown.append(text.percentage)
    assert shown == sorted(shown)
    assert shown[-1] == 99


def test_a_build_counts_what_is_written_at_once_and_leaves_room_for_its_review() -> None:
    manifest = (events.PlannedFile("a.ts", "a"), events.PlannedFile("b.ts", "b"))
    text = after(events.Planned("A page", manifest))
    assert text.message == "Planned 2 file(s): A page"
    for event in (
        events.FileStarted("a.ts", "create"),
        events.FileStarted("b.ts", "create"),
        events.FileDelta("a.ts", "x" * 400),
    ):
        text.take(event)
    assert text.message == "Writing b.ts · 100 tokens · 2/2"
    text.take(events.Stage("Wrote b.ts", 2, 2))
    assert text.percentage == 70


def test_text_outside_of_files_changes_nothing() -> None:
    assert not ProgressText().take(events.TextDelta("I will", 0))


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0"), (999, "999"), (1234, "1.2k"), (31_400, "31k")]
)
def test_counts_are_short(count: int, shown: str) -> None:
    assert short_count(count) == shown
