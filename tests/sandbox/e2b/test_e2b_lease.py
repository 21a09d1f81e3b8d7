"""How long cloud sandboxes live."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from e2b_double import E2bDouble
from sandbox_contract import APP, Look, until

from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.settings import Places, SandboxSettings, Settings

TIMEOUT = r"POST /sandboxes/\w+/timeout"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(
    e2b_settings: SandboxSettings, places: Places, clock: Clock
) -> AsyncIterator[E2bProvider]:
    settings = msgspec.structs.replace(e2b_settings, lease_s=1000)
    made = E2bProvider(Settings(sandbox=settings), places, clock=clock)
    yield made
    await made.close()


async def test_a_lease_is_told_to_e2b_only_now_and_then(
    provider: E2bProvider, clock: Clock, double: E2bDouble
) -> None:
    sandbox = await provider.create(print)
    assert double.one().timeouts == [1100]
    for second in range(0, 299, 3):
        clock.now = second
        sandbox.renew()
        await sandbox.read(APP)

    async def was_told_twice() -> bool:
        return double.one().timeouts == [1100, 1100, 1100]

    await until(was_told_twice)
    assert double.faults.count(TIMEOUT) == 2


async def test_a_renewal_that_fails_is_made_up_for_by_the_next(
    provider: E2bProvider, clock: Clock, double: E2bDouble, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = await provider.create(print)
    double.fault(TIMEOUT, "drop", times=3)
    clock.now = 101
    sandbox.renew()

    async def was_told() -> bool:
        return "lease was not renewed" in caplog.text

    await until(was_told)
    sandbox.renew()

    async def was_renewed() -> bool:
        return len(double.one().timeouts) == 2

    await until(was_renewed)


async def test_a_sandbox_whose_time_is_over_is_dead(
    provider: E2bProvider, double: E2bDouble
) -> None:
    sandbox = await provider.create(print)
    double._give(double.one(), 0)

    async def is_dead() -> bool:
        return not await sandbox.is_alive()

    await until(is_dead)


async def test_where_asked_for_it_is_paused_and_goes_on_when_it_is_used(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble, look: Look
) -> None:
    settings = msgspec.structs.replace(e2b_settings, e2b_on_timeout="pause")
    provider = E2bProvider(Settings(sandbox=settings), places)
    try:
        sandbox = await provider.create(print)
        await sandbox.write(APP, b"kept")
        await double.expire(sandbox.id)
        assert double.one().state == "paused"
        assert await sandbox.is_alive()
        assert double.one().state == "paused"
        assert await sandbox.read(APP) == b"kept"
        assert double.one().state == "running"
        await double.expire(sandbox.id)
        assert await look(sandbox, "/src/App.tsx") == (200, "kept")
    finally:
        await provider.close()
    assert double.sandboxes == {}
