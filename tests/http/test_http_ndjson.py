"""The lines that a run's events are told in under /v1."""

import json
from typing import Any, get_args

import pytest
from http_description import problems, schema
from http_v1 import ENDS
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp import events
from forge_lsp.actions.drafts import AS_ASKED
from forge_lsp.changes.hunks import hunks_between
from forge_lsp.events import DesignSpec, Event, PlannedFile, Recorded, RunFinished
from forge_lsp.http.v1.ndjson import Lines, ServerSentLines, render, wire_of
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import RunRecord

BEFORE = "one\ntwo\nthree\n"
AFTER = "one\n2\n3\n4\n"
CHANGED = events.FileFinished("src/App.tsx", AFTER, hunks_between(BEFORE, AFTER))
NEW = events.FileFinished("src/New.tsx", "a\nb")
KINDS = ("build", "skill", "augmenter", "augmenter_dry_run", "generate", "undo", "")
NAMES = {"build": "BuildLine", **dict.fromkeys(KINDS[1:4], "SkillLine")}
EVERY: list[Event] = [
    events.RunStarted("x", "y"),
    events.Stage("Reading the files...", 1, 4),
    events.Stage("Analyzing request..."),
    events.ContextSelected(("a.ts",), "ADD_FEATURE", "z"),
    events.TextDelta("hello", 0),
    events.FileStarted("a.ts", "create"),
    events.FileDelta("a.ts", "x"),
    CHANGED,
    NEW,
    events.FileFinished("old.ts", None),
    events.FileDropped("a.ts", AS_ASKED),
    events.FileDropped("b.ts", "it is not UTF-8 text"),
    events.PackageNeeded("react"),
    events.PackageInstalled("react", "19.0.0"),
    events.PackageFailed("react", "no"),
    events.Planned("s", (PlannedFile("a.ts", "p"),)),
    events.Planned("s", (), design_spec=DesignSpec({"text": "#000"}, "t", "l", ("c",))),
    events.Reviewed("n", ("a.ts",)),
    events.AugmenterChanged("seo", "queued"),
    events.AugmenterChanged("seo", "failed", "It broke the app."),
    events.Insight("bug", "l", "d"),
    events.Insight("bug", "l", "d", "a.ts", 3),
    events.FileApplied("a.ts", "sandbox", ok=True),
    events.SandboxReady("sb_1", "http://127.0.0.1:1/"),
    events.DiagnosticsChanged(0, 1),
    events.Problem("odd", "It is odd."),
    events.Usage("m", 1, 2),
    RunFinished("completed", app_id="app_1", preview_url="http://127.0.0.1:1/"),
    RunFinished("completed"),
    RunFinished("cancelled", message="x"),
    RunFinished("failed", "model_busy", "Busy."),
    RunFinished("truncated", "", "Cut off."),
    RunFinished("refused", "", "No."),
]


def record(kind: str) -> RunRecord:
    return RunRecord("run_1", kind, "t", "", "1:1", 0)


def test_every_event_of_the_vocabulary_is_looked_at_here() -> None:
    assert {type(event) for event in EVERY} == set(get_args(Event))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_run_says_is_one_line_as_described_or_none(kind: str) -> None:
    for event in EVERY:
        data = Lines(record(kind)).say(Recorded(7, 0, event))
        assert data.count(b"\n") == (1 if data else 0)
        if data:
            line = json.loads(data)
            assert list(line)[:3] == ["type", "runId", "id"]
            assert (line["runId"], line["id"]) == ("run_1", 7)
            assert problems(schema(NAMES.get(kind, "RunLine")), line) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_at_once_and_what_is_replayed_are_the_same_bytes(kind: str) -> None:
    path = ProjectPath.parse("src/App.tsx")
    fresh: list[Event] = [
        *EVERY,
        events.FileFinished(path, "x"),
        events.FileDropped(path, AS_ASKED),
        events.Insight("bug", "l", "d", path, 3),
        events.Reviewed("n", (path,)),
        events.Planned("s", (PlannedFile(path, "p"),)),
    ]
    for event in fresh:
        kept = events.decode(events.encode(event))
        told = [Lines(record(kind)).say(Recorded(1, 0, each)) for each in (event, kept)]
        assert told[0] == told[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_end_has_its_last_word(kind: str) -> None:
    for event in EVERY:
        told = render(kind, event)
        is_end = told is not None and told["type"] in ENDS
        assert is_end == isinstance(event, RunFinished)


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_is_made_of_its_event_alone(kind: str) -> None:
    wire, told = Lines(record(kind)), list(enumerate(EVERY, 1))
    in_order = [wire.say(Recorded(seq, 0, event)) for seq, event in told]
    alone = [Lines(record(kind), 99).say(Recorded(seq, 5, event)) for seq, event in told]
    backwards = [wire.say(Recorded(seq, 0, event)) for seq, event in reversed(told)]
    assert in_order == alone == backwards[::-1]


def test_a_build_is_told_in_the_words_of_the_contract() -> None:
    spec = {"palette": {"text": "#000"}, "typography": "t", "layout": "l", "components": ["c"]}
    told = [render("build", event) for event in EVERY]
    assert [each for each in told if each is not None] == [
        {"type": "file", "path": "src/App.tsx", "contents": AFTER},
        {"type": "file", "path": "src/New.tsx", "contents": "a\nb"},
        {"type": "plan", "summary": "s", "manifest": [{"path": "a.ts", "purpose": "p"}]},
        {"type": "plan", "summary": "s", "manifest": [], "designSpec": spec},
        {"type": "review", "notes": "n", "patched": ["a.ts"]},
        {"type": "augmenter", "alias": "seo", "status": "queued"},
        {
            "type": "augmenter",
            "alias": "seo",
            "status": "failed",
            "message": "It broke the app.",
        },
        {"type": "ready", "appId": "app_1", "previewUrl": "http://127.0.0.1:1/"},
        {"type": "ready", "appId": "", "previewUrl": None},
        {"type": "cancelled"},
        {"type": "error", "message": "Busy.", "code": "model_busy"},
        {"type": "error", "message": "Cut off.", "code": "truncated"},
        {"type": "error", "message": "No.", "code": "refused"},
    ]


def test_a_skill_is_told_in_the_words_of_the_contract() -> None:
    told = [render("skill", event) for event in EVERY[:-5]]
    assert [each for each in told if each is not None] == [
        {
            "type": "progress",
            "stage": "reading",
            "message": "Reading the files...",
            "percent": 25,
        },
        {"type": "progress", "stage": "analyzing", "message": "Analyzing request..."},
        {"type": "chunk", "delta": "hello"},
        {"type": "insight", "insight": {"kind": "bug", "label": "l", "detail": "d"}},
        {
            "type": "insight",
            "insight": {"kind": "bug", "label": "l", "detail": "d", "path": "a.ts", "line": 3},
        },
        {"type": "progress", "stage": "problem", "message": "It is odd."},
        {"type": "done", "tokensUsed": 0, "durationMs": 0},
    ]


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("augmenter", [{}, {}, {}]),
        (
            "augmenter_dry_run",
            [
                {"added": 3, "removed": 2},
                {"added": 2, "removed": 0},
                {"added": 0, "removed": 0},
            ],
        ),
    ],
)
def test_an_augmenter_tells_what_it_wrote_and_a_dry_run_how_much(
    kind: str, counts: list[dict[str, Any]]
) -> None:
    told = [render(kind, event) for event in EVERY]
    written = [each for each in told if each is not None and each["type"] == "file_written"]
    wanted = [
        {"type": "file_written", "path": "src/App.tsx", "status": "modified"},
        {"type": "file_written", "path": "src/New.tsx", "status": "created"},
        {"type": "file_written", "path": "a.ts", "status": "unchanged"},
    ]
    assert written == [line | count for line, count in zip(wanted, counts, strict=True)]


def test_what_a_run_took_is_in_its_last_word() -> None:
    last = RunFinished("completed", tokens_used=12, duration_ms=34)
    assert render("skill", last) == {"type": "done", "tokensUsed": 12, "durationMs": 34}


def test_a_hostile_text_stays_on_its_line() -> None:
    hostile = 'a\r\nb\n{"type":"done"}\n\x85\u2028é\x00\ndata: x\nid: 9'
    line = Lines(record("skill")).say(Recorded(1, 0, events.TextDelta(hostile, 0)))
    assert line.count(b"\n") == 1
    assert json.loads(line)["delta"] == hostile
    sent = ServerSentLines(record("skill")).say(Recorded(1, 0, events.TextDelta(hostile, 0)))
    assert sent == b"id: 1\ndata: " + line + b"\n"
    assert not {b"\r", b"\x00"} & {sent[i : i + 1] for i in range(len(sent))}


@given(st.text(), st.sampled_from(KINDS))
def test_any_text_is_one_line_that_gives_it_back(text: str, kind: str) -> None:
    hostile: list[Event] = [
        events.TextDelta(text, 0),
        events.Stage(text),
        events.Insight(text, text, text, text, 1),
        events.FileFinished(text, text),
        events.FileDropped(text, text),
        events.Planned(text, (PlannedFile(text, text),), (), DesignSpec({text: text}, text, text)),
        events.Reviewed(text, (text,)),
        events.AugmenterChanged(text, "failed", text),
        RunFinished("failed", text, text),
    ]
    for event in hostile:
        told = render(kind, event)
        data = Lines(record(kind)).say(Recorded(1, 0, event))
        assert data.count(b"\n") == (told is not None)
        if told is not None:
            assert json.loads(data) == told | {"runId": "run_1", "id": 1}


def test_a_last_word_of_the_servers_own_moves_no_cursor() -> None:
    wire = Lines(record("build"), 4)
    assert json.loads(wire.fail("unavailable", "Gone."))["id"] == 4
    wire.say(Recorded(9, 0, events.Usage("m", 1, 2)))
    assert json.loads(wire.fail("unavailable", "Gone.")) == {
        "type": "error",
        "runId": "run_1",
        "id": 9,
        "message": "Gone.",
        "code": "unavailable",
    }


@pytest.mark.parametrize(
    ("accept", "wire"),
    [
        ("", Lines),
        ("*/*", Lines),
        ("application/x-ndjson", Lines),
        ("application/x-ndjson, text/event-stream", Lines),
        ("application/json", Lines),
        ("text/event-stream", ServerSentLines),
        ("Text/Event-Stream; q=0.9, */*", ServerSentLines),
        ("text/event-streams", Lines),
        ("\x00,,;", Lines),
    ],
)
def test_the_wire_is_the_one_that_is_asked_for(accept: str, wire: type[Lines]) -> None:
    assert type(wire_of(record("build"), accept)) is wire
