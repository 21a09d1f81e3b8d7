"""A workspace, a home of its own, and an editor for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from lsp_wire import Editor, editor


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest_asyncio.fixture
async def client(workspace: Path, home: Path) -> AsyncIterator[Editor]:
    async with editor(workspace, home) as running:
        yield running
