"""Sandboxes for tests: on one prepared template, and ended whatever happens."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, SandboxSettings, Settings


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the user whom root's sandboxes run as can reach, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="forge-lsp-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def shared_places(tmp_path: Path) -> Places:
    """Places whose cache outlives the session, so that the template is prepared once."""
    cache = os.environ.get("FORGE_TEST_CACHE")
    return Places(
        config=tmp_path / "config",
        state=tmp_path / "state",
        cache=Path(cache) if cache else Places.find().cache / "tests",
    )


@pytest.fixture
async def provider(shared_places: Places) -> AsyncIterator[LocalProvider]:
    made = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=0)), shared_places)
    report = await made.isolation()
    if report.tier == "none" and os.environ.get("CI") != "true":
        pytest.skip(f"this machine can't confine a sandbox: {report.detail} {report.remedy}")
    try:
        yield made
    finally:
        await made.close()
