"""What the demo says of a run."""

import pytest

from forge_lsp import events
from forge_lsp.cli.demo.view import RunView
from forge_lsp.cli.terminal import printable


def test_while_a_file_is_written_its_name_and_the_tokens_are_shown() -> None:
    view = RunView()
    view.take(events.FileStarted("src/App.tsx", "create"))
    view.take(events.TextDelta("x" * 8_000, 0))
    assert view.now == "Writing src/App.tsx · 2,000 tokens"


def test_between_files_the_stage_is_shown() -> None:
    view = RunView()
    view.take(events.FileStarted("src/App.tsx", "create"))
    view.take(events.FileFinished("src/App.tsx", "one\ntwo\n"))
    assert view.take(events.Stage("Starting a sandbox...")) == "· Starting a sandbox..."
    assert view.now == "Starting a sandbox..."


def test_what_could_not_be_applied_is_kept_with_its_reason() -> None:
    view = RunView()
    view.take(events.FileApplied("src/App.tsx", "workspace", ok=False, reason="it changed"))
    assert view.refused == ["src/App.tsx (workspace): it changed"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.FileFinished("a.ts", "one\ntwo"), "✓ a.ts (2 lines)"),
        (events.FileFinished("a.ts", None), "✓ a.ts is to be deleted"),
        (events.FileDropped("a.ts", "it was left open"), "✗ a.ts: it was left open"),
        (events.PackageInstalled("zod", "3.1.0"), "✓ zod 3.1.0 installed"),
        (events.DiagnosticsChanged(0, 3), "✓ No errors in the app"),
        (events.DiagnosticsChanged(2, 0), "! 2 error(s) in the app"),
        (events.Problem("code", "Something."), "! Something."),
        (events.Usage("m", 1_000, 20), "· m: 1,000 tokens in, 20 out"),
        (events.Usage("m", 1, 2, cost_usd=0.01), "· m: 1 tokens in, 2 out, $0.0100"),
        (events.FileApplied("a.ts", "sandbox", ok=True), ""),
    ],
)
def test_each_event_that_matters_has_its_line(event: events.Event, line: str) -> None:
    assert RunView().take(event) == line


def test_a_model_can_not_command_the_terminal() -> None:
    assert printable("\x1b]0;title\x07\x1b[2Jred\r\nnext\u202e") == " ]0;title  [2Jred  next "
