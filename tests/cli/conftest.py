"""Homes for the command line."""

import os
from pathlib import Path

import pytest
from cli_running import run

from forge_lsp.settings import Places


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose cache is shared, so that the template is prepared once on this machine."""
    cache = os.environ.get("FORGE_TEST_CACHE")
    shared = Path(cache) if cache else Places.find().cache / "tests"
    shared.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").symlink_to(shared)
    return tmp_path


@pytest.fixture
def able_home(home: Path) -> Path:
    """The same, on a machine that can confine a sandbox."""
    examined = run(home, "doctor")
    if examined.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"this machine can't run the demo: {examined.stdout}")
    return home
