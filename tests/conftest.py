"""Makes what several suites share importable: this folder stands on the import path. Leaves the
live tests out, and says so, unless they are asked for."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postgres_cluster import Cluster

LIVE: Mapping[str, tuple[str, str]] = {
    "test_claude_live.py": ("ANTHROPIC_API_KEY", "ask the real API"),
    "test_e2b_live.py": ("E2B_API_KEY", "use the real E2B"),
}
"""By module: the key that its tests need, and what they do with it."""


@pytest.fixture(scope="session")
def cluster() -> Iterator["Cluster"]:
    """A PostgreSQL server, which runs until the tests end."""
    # Its driver is imported by those tests only that want it.
    from postgres_cluster import a_cluster, find_binaries

    binaries = find_binaries()
    if binaries is None:
        told = "there is no PostgreSQL on this machine (Debian: apt-get install postgresql)"
        assert not os.environ.get("CI"), told
        pytest.skip(told)
    with a_cluster(binaries) as running:
        yield running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _is_left_out(item.path.name)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for module, (key, what) in LIVE.items():
        if _is_left_out(module):
            terminalreporter.write_line(
                f"{module} is left out: to {what}, set FORGE_LIVE_TESTS=1 and {key}; it costs money"
            )


def _is_left_out(module: str) -> bool:
    is_asked_for = os.environ.get("FORGE_LIVE_TESTS") == "1"
    return module in LIVE and not (is_asked_for and os.environ.get(LIVE[module][0]))
