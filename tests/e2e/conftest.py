"""What every end-to-end test lives in: a home, a workspace, and a machine that can confine code."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_home import Home
from e2e_tools import lacking

from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, SandboxSettings, Settings


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the sandboxes' template ready in it, which outlives the session."""
    chosen = os.environ.get("FORGE_TEST_CACHE")
    cache = Path(chosen) if chosen else Places.find().cache / "tests"
    scratch = tmp_path_factory.mktemp("preparing")
    asyncio.run(_prepare(Places(config=scratch, state=scratch, cache=cache)))
    return cache


@pytest.fixture
def home(tmp_path: Path, prepared_cache: Path) -> Home:
    """An empty home."""
    return Home.make(tmp_path / "home", prepared_cache)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty folder to open in an editor."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def plain_home(tmp_path: Path) -> Home:
    """A home for what needs no sandbox."""
    (tmp_path / "cache").mkdir()
    return Home.make(tmp_path / "home", tmp_path / "cache")


@pytest.fixture
def no_node(tmp_path: Path) -> dict[str, str]:
    """The settings of somebody without Node, and so without sandboxes."""
    (tmp_path / "no node").mkdir()
    return {"PATH": str(tmp_path / "no node")}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="forge-e2e-"))
    folder.chmod(0o755)
    yield folder
    for each in folder.iterdir():
        if each.is_dir():
            each.chmod(0o755)
    shutil.rmtree(folder)


async def _prepare(places: Places) -> None:
    provider = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=0)), places)
    try:
        report = await provider.isolation()
        if report.tier == "none":
            lacking(f"this machine can't confine a sandbox: {report.detail} {report.remedy}")
        await provider.create(lambda _: None)
    finally:
        await provider.close()
