"""The same contract at the real E2B: run only when it is asked for (see conftest.py).

The template must be there: `forge-lsp e2b build-template`.
"""

from collections.abc import AsyncIterator

import msgspec
import pytest
from sandbox_contract import *  # noqa: F403

from forge_lsp import loading
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.settings import Places

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def provider(places: Places) -> AsyncIterator[E2bProvider]:
    loaded, _ = loading.load()
    group = msgspec.structs.replace(loaded.sandbox, provider="e2b", lease_s=300)
    made = E2bProvider(msgspec.structs.replace(loaded, sandbox=group), places)
    try:
        yield made
    finally:
        await made.close()
