"""Leaves the live tests out, and says so, unless they are asked for."""

import os

import pytest

LIVE = "test_claude_live.py"
REASON = "set FORGE_LIVE_TESTS=1 and ANTHROPIC_API_KEY to ask the real API, which costs money"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("FORGE_LIVE_TESTS") == "1" and os.environ.get("ANTHROPIC_API_KEY"):
        return
    live = [item for item in items if item.path.name == LIVE]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]
        config.stash[_left_out] = len(live)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := config.stash.get(_left_out, 0):
        terminalreporter.write_line(f"{LIVE}: {count} tests left out: {REASON}")


_left_out = pytest.StashKey[int]()
