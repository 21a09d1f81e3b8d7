"""The two folds from events to payloads."""

from typing import Any

import pytest
from http_serving import types

from forge_lsp import events
from forge_lsp.events import Event, RunFinished
from forge_lsp.http import sse
from forge_lsp.http.sse import ApplyRendering, GenerateRendering, Rendering
from forge_lsp.paths import ProjectPath

APP = ProjectPath.parse("src/App.tsx")
MAIN = ProjectPath.parse("src/main.tsx")


def fold(rendering: Rendering, *told: Event) -> list[Any]:
    return [payload for event in told for payload in rendering.render(event)]


def test_an_event_is_one_line_and_a_blank_one_whatever_it_holds() -> None:
    hostile = "a\r\nb\ndata: {}\n\nevent: x\x85\u2028é\x00"
    encoded = sse.encode({"type": "status", "message": hostile})
    assert encoded.startswith(b"data: {")
    assert encoded.endswith(b"}\n\n")
    assert not {b"\n", b"\r", b"\x00"} & {encoded[i : i + 1] for i in range(len(encoded) - 2)}
    assert "é".encode() in encoded


def test_a_file_that_is_finished_twice_counts_last_and_stands_where_it_was_first() -> None:
    told = fold(
        GenerateRendering(),
        events.FileFinished(APP, "1"),
        events.FileFinished(MAIN, "2"),
        events.FileFinished(APP, "3"),
        RunFinished("completed"),
    )
    assert types(told) == ["file", "file", "file", "complete"]
    assert told[-1]["data"]["files"] == [
        {"path": "src/App.tsx", "content": "3"},
        {"path": "src/main.tsx", "content": "2"},
    ]


def test_a_deleted_file_is_told_and_is_not_among_the_files() -> None:
    told = fold(
        GenerateRendering(),
        events.FileFinished(APP, "1"),
        events.FileFinished(APP, None),
        RunFinished("completed"),
    )
    assert told[1] == {"type": "status", "message": "Deleted src/App.tsx"}
    assert told[-1]["data"]["files"] == []


def test_a_file_that_was_left_open_is_told_and_is_not_among_the_files() -> None:
    told = fold(
        GenerateRendering(),
        events.FileStarted(APP, "create"),
        events.FileDelta(APP, "half"),
        events.FileDropped(APP, "the reply ended before the file did"),
        RunFinished("completed"),
    )
    assert types(told) == ["status", "complete"]
    assert "src/App.tsx" in told[0]["message"]
    assert told[-1]["data"]["files"] == []


def test_an_edit_type_is_there_only_where_files_were_chosen() -> None:
    rendering = GenerateRendering()
    told = fold(
        rendering,
        events.ContextSelected((APP,), "FIX_ISSUE", "because"),
        events.PackageNeeded("react"),
        RunFinished("completed"),
    )
    assert told == [
        {"type": "package", "data": {"name": "react"}},
        {
            "type": "complete",
            "data": {"files": [], "packages": ["react"], "editType": "FIX_ISSUE"},
        },
    ]


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (RunFinished("truncated", "truncated", "Cut off."), "truncated"),
        (RunFinished("refused", "refused", "No."), "refused"),
        (RunFinished("failed", "model_busy", "Busy."), "model_busy"),
        (RunFinished("failed", "", "Odd."), "failed"),
    ],
)
@pytest.mark.parametrize("rendering", [GenerateRendering, ApplyRendering])
def test_a_run_that_did_not_complete_ends_with_an_error(
    rendering: type[GenerateRendering] | type[ApplyRendering], last: RunFinished, code: str
) -> None:
    [told] = fold(rendering(), last)
    assert told["type"] == "error"
    assert told["message"] == last.message
    assert told["data"] == {"code": code, "details": {"outcome": last.outcome, "files": []}}


def test_an_error_names_the_files_that_are_whole_all_the_same() -> None:
    told = fold(
        GenerateRendering(),
        events.FileFinished(APP, "1"),
        RunFinished("truncated", "truncated", "Cut off."),
    )
    assert told[-1]["data"]["details"] == {"outcome": "truncated", "files": ["src/App.tsx"]}


@pytest.mark.parametrize("rendering", [GenerateRendering(), ApplyRendering()])
def test_cancelled_is_a_word_of_its_own(rendering: Rendering) -> None:
    assert fold(rendering, RunFinished("cancelled", message="x")) == [{"type": "cancelled"}]


def test_what_an_apply_does_not_reach_is_not_called_applied() -> None:
    told = fold(
        ApplyRendering(),
        events.FileApplied(APP, "workspace", ok=True),
        events.FileApplied(APP, "sandbox", ok=False, reason="full"),
        RunFinished("failed", "not_applied", "Not everything."),
    )
    assert told == [
        {"type": "status", "message": "src/App.tsx was not applied: full"},
        {
            "type": "complete",
            "data": {"appliedFiles": [], "installedPackages": [], "success": False},
        },
    ]
