"""The contract of sandboxes on this machine."""

from urllib.parse import urlsplit

import aiohttp
import pytest

from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.local import LocalProvider

pytest.register_assert_rewrite("sandbox_contract")
from sandbox_contract import *  # noqa: E402, F403
from sandbox_contract import Look  # noqa: E402

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def sandbox(provider: LocalProvider) -> Sandbox:
    return await provider.create(print)


@pytest.fixture
def look() -> Look:
    """Through the relay, by its own name, whatever the resolver thinks of it."""

    async def get(sandbox: Sandbox, path: str) -> tuple[int, str]:
        parts = urlsplit(sandbox.url)
        url = f"http://127.0.0.1:{parts.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers={"Host": parts.netloc}) as answer,
        ):
            return answer.status, await answer.text()

    return get
