from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_serving import Api, serving


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as served:
        yield served
