import re
from typing import get_args

import msgspec
import pytest

from forge_lsp import events
from forge_lsp.changes.hunks import Hunk
from forge_lsp.paths import ProjectPath

FORMS: list[tuple[events.Event, str]] = [
    (
        events.RunStarted("generate", "A counter"),
        '{"type":"run_started","kind":"generate","title":"A counter"}',
    ),
    (
        events.Stage("Applying 1/2: App.tsx", 1, 2),
        '{"type":"stage","message":"Applying 1/2: App.tsx","done":1,"total":2}',
    ),
    (
        events.ContextSelected(("src/App.tsx",), "ADD_FEATURE", "It holds the page."),
        (
            '{"type":"context_selected","paths":["src/App.tsx"],"edit_type":"ADD_FEATURE",'
            '"reason":"It holds the page."}'
        ),
    ),
    (events.TextDelta("häß\n", 3), '{"type":"text_delta","text":"häß\\n","index":3}'),
    (
        events.FileStarted("src/App.tsx", "create"),
        '{"type":"file_started","path":"src/App.tsx","action":"create"}',
    ),
    (
        events.FileDelta("src/App.tsx", "export"),
        '{"type":"file_delta","path":"src/App.tsx","text":"export"}',
    ),
    (
        events.FileFinished("src/App.tsx", "a\n", (Hunk(1, 2, 3, 4),)),
        (
            '{"type":"file_finished","path":"src/App.tsx","content":"a\\n","hunks":[{'
            '"before_start":1,"before_count":2,"after_start":3,"after_count":4}]}'
        ),
    ),
    (
        events.FileFinished("src/Old.tsx", None),
        '{"type":"file_finished","path":"src/Old.tsx","content":null,"hunks":[]}',
    ),
    (
        events.FileDropped("src/App.tsx", "the run was cancelled"),
        '{"type":"file_dropped","path":"src/App.tsx","reason":"the run was cancelled"}',
    ),
    (
        events.DiagnosticsChanged(2, 1),
        '{"type":"diagnostics_changed","errors":2,"warnings":1}',
    ),
    (events.PackageNeeded("zustand"), '{"type":"package_needed","name":"zustand"}'),
    (
        events.PackageInstalled("zustand", "5.0.1"),
        '{"type":"package_installed","name":"zustand","version":"5.0.1"}',
    ),
    (
        events.PackageFailed("zustnad", "no such package"),
        '{"type":"package_failed","name":"zustnad","reason":"no such package"}',
    ),
    (
        events.FileApplied("src/App.tsx", "sandbox", ok=False, reason="the disk is full"),
        (
            '{"type":"file_applied","path":"src/App.tsx","target":"sandbox","ok":false,'
            '"reason":"the disk is full"}'
        ),
    ),
    (
        events.SandboxReady("sb_1", "http://127.0.0.1:1/"),
        '{"type":"sandbox_ready","sandbox_id":"sb_1","url":"http://127.0.0.1:1/"}',
    ),
    (
        events.Problem("edit_unmatched", "It doesn't fit.", "src/App.tsx"),
        (
            '{"type":"problem","code":"edit_unmatched","message":"It doesn\'t fit.",'
            '"path":"src/App.tsx"}'
        ),
    ),
    (
        events.Usage("claude", 1, 2, 3, 4, 0.5),
        (
            '{"type":"usage","model":"claude","input_tokens":1,"output_tokens":2,'
            '"cache_read_tokens":3,"cache_write_tokens":4,"cost_usd":0.5}'
        ),
    ),
    (
        events.RunFinished("failed", "store_failed", "The disk is full."),
        (
            '{"type":"run_finished","outcome":"failed","code":"store_failed",'
            '"message":"The disk is full.","app_id":"","preview_url":"","tokens_used":0,'
            '"duration_ms":0}'
        ),
    ),
    (
        events.RunStarted("build", "A page", events.Asked("A page", ("seo",), "app_1")),
        (
            '{"type":"run_started","kind":"build","title":"A page","asked":{"prompt":"A page",'
            '"augmenters":["seo"],"app_id":"app_1"}}'
        ),
    ),
    (
        events.Planned(
            "A page",
            (events.PlannedFile("src/App.tsx", "the page", ("App",), ("src/Hero.tsx",)),),
            ("clsx",),
            events.DesignSpec({"accent": "#00f"}, "Inter", "one column", ("round buttons",)),
        ),
        (
            '{"type":"planned","summary":"A page","manifest":[{"path":"src/App.tsx",'
            '"purpose":"the page","exports":["App"],"uses":["src/Hero.tsx"]}],'
            '"packages":["clsx"],"design_spec":{"palette":{"accent":"#00f"},'
            '"typography":"Inter","layout":"one column","components":["round buttons"]}}'
        ),
    ),
    (
        events.Reviewed("Good.", ("src/App.tsx",)),
        '{"type":"reviewed","notes":"Good.","patched":["src/App.tsx"]}',
    ),
    (
        events.AugmenterChanged("seo", "failed", "No answer."),
        ('{"type":"augmenter_changed","alias":"seo","status":"failed","message":"No answer."}'),
    ),
    (
        events.Insight("bug", "A leak", "The timer is never cleared.", "src/App.tsx", 3),
        (
            '{"type":"insight","kind":"bug","label":"A leak",'
            '"detail":"The timer is never cleared.","path":"src/App.tsx","line":3}'
        ),
    ),
]

WITHOUT_OPTIONAL_FIELDS: list[tuple[str, events.Event]] = [
    ('{"type":"stage","message":"m"}', events.Stage("m")),
    (
        '{"type":"file_finished","path":"a","content":"b"}',
        events.FileFinished("a", "b"),
    ),
    (
        '{"type":"file_applied","path":"a","target":"workspace","ok":true}',
        events.FileApplied("a", "workspace", ok=True),
    ),
    ('{"type":"problem","code":"c","message":"m"}', events.Problem("c", "m")),
    (
        '{"type":"usage","model":"m","input_tokens":1,"output_tokens":2}',
        events.Usage("m", 1, 2),
    ),
    ('{"type":"run_finished","outcome":"completed"}', events.RunFinished("completed")),
]


def name_of(event: events.Event) -> str:
    return type(event).__name__


@pytest.mark.parametrize(("event", "form"), FORMS, ids=[name_of(event) for event, _ in FORMS])
def test_an_event_has_the_json_form_that_was_promised(event: events.Event, form: str) -> None:
    assert events.encode(event).decode() == form
    assert events.decode(form.encode()) == event


def test_no_event_is_missing_in_the_table() -> None:
    assert {type(event) for event, _ in FORMS} == set(get_args(events.Event))


@pytest.mark.parametrize(
    ("form", "event"),
    WITHOUT_OPTIONAL_FIELDS,
    ids=[name_of(event) for _, event in WITHOUT_OPTIONAL_FIELDS],
)
def test_a_journal_from_before_a_field_was_added_can_still_be_read(
    form: str, event: events.Event
) -> None:
    assert events.decode(form.encode()) == event


def test_a_field_that_a_newer_version_added_is_passed_over() -> None:
    assert events.decode(b'{"type":"stage","message":"m","new":1}') == events.Stage("m")


def test_a_project_path_is_written_as_text() -> None:
    path = ProjectPath.parse("src/App.tsx")
    said = events.encode(events.FileDropped(path, "why"))
    assert events.decode(said) == events.FileDropped("src/App.tsx", "why")
    selected = events.encode(events.ContextSelected((path,), None, ""))
    assert re.search(rb'"paths":\["src/App.tsx"\]', selected)


@pytest.mark.parametrize(
    "form",
    [
        "",
        "{}",
        "[]",
        '{"type":"run_exploded"}',
        '{"type":"run_finished","outcome":"fine"}',
        '{"type":"text_delta","text":1,"index":0}',
        '{"type":"file_started","path":"a"}',
    ],
)
def test_anything_else_is_no_event(form: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        events.decode(form.encode())


def test_an_event_doesnt_change_once_made() -> None:
    event = events.Stage("m")
    with pytest.raises(AttributeError):
        event.message = "n"  # type: ignore[misc]
