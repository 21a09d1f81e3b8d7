"""What pages report, and what they make up."""

import json
from typing import Any

import pytest

from forge_lsp.sandbox.reporter.reports import (
    MAX_FRAMES,
    MAX_HAPPENED,
    MAX_TEXT_CHARACTERS,
    Frame,
    frames_of,
    parse_report,
)

APP = "http://sb_1.localhost:5000/src/App.tsx?t=1700000000000"


@pytest.mark.parametrize(
    "line",
    [
        f"    at App ({APP}:10:5)",
        f"    at {APP}:10:5",
        f"    at async Promise.all ({APP}:10:5), x",
        f"App@{APP}:10:5",
        f"@{APP}:10:5",
    ],
)
def test_the_places_of_every_browsers_stack_are_found(line: str) -> None:
    assert frames_of(f"Error: x\n{line}\n    at <anonymous>") == (Frame(APP, 10, 5),)


def report(**happening: Any) -> bytes:
    return json.dumps({"page": "p", "happened": [happening]}).encode()


def test_a_report_is_read() -> None:
    read = parse_report(report(kind="thrown", text="Error: \x1b[31mno", stack=f"at {APP}:1:2"))
    assert read is not None
    (thrown,) = read.happened
    assert (read.page, thrown.kind, thrown.text) == ("p", "thrown", "Error: no")
    assert thrown.frames == (Frame(APP, 1, 2),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"page": 1, "happened": []}',
        b'{"page": "p", "happened": {}}',
    ],
)
def test_what_is_no_report_is_none(body: bytes) -> None:
    assert parse_report(body) is None


@pytest.mark.parametrize(
    "happening",
    [
        {"kind": "thrown", "text": 1, "stack": ""},
        {"kind": "thrown", "text": "x", "stack": None},
        {"kind": "else", "text": "x", "stack": ""},
        {"kind": [], "text": "x", "stack": ""},
        {},
    ],
)
def test_what_is_malformed_in_a_report_is_left_out(happening: dict[str, Any]) -> None:
    read = parse_report(report(**happening))
    assert read is not None
    assert read.happened == ()


def test_a_report_is_bounded() -> None:
    stack = f"at {APP}:1:2\n" * 1_000
    happening = {"kind": "thrown", "text": "x\ud800" * 5_000, "stack": stack}
    body = json.dumps({"page": "p" * 10_000, "happened": [happening] * 50}).encode()
    read = parse_report(body)
    assert read is not None
    assert len(read.page) == 64
    assert len(read.happened) == MAX_HAPPENED
    assert all(len(each.text) <= MAX_TEXT_CHARACTERS for each in read.happened)
    assert all(len(each.frames) <= MAX_FRAMES for each in read.happened)
    read.happened[0].text.encode()


@pytest.mark.parametrize(
    "stack", ["http://" * 20_000, "http://a:1" * 20_000, "http://a" + ":1" * 50_000]
)
def test_a_hostile_stack_is_read_in_no_time(stack: str) -> None:
    assert len(frames_of(stack)) <= MAX_FRAMES
