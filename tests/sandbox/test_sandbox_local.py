"""Sandboxes of this machine, as the port promises them."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import nursery
import psutil
import pytest

from forge_lsp.errors import SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.instance import LocalSandbox
from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.sandbox.template import template_files
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]

APP = ProjectPath.parse("src/App.tsx")
PATIENCE_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def sandbox(provider: LocalProvider) -> LocalSandbox:
    return await make(provider)


async def make(provider: LocalProvider) -> LocalSandbox:
    made = await provider.create(print)
    assert isinstance(made, LocalSandbox)
    return made


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def get(sandbox: Sandbox, path: str = "/") -> tuple[int, str]:
    """Through the relay, by its own name, whatever the resolver thinks of it."""
    parts = urlsplit(sandbox.url)
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"http://127.0.0.1:{parts.port}{path}", headers={"Host": parts.netloc}
        ) as answer,
    ):
        return answer.status, await answer.text()


def children() -> list[psutil.Process]:
    """Without the tests' own, which other tests may have started."""
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if each.status() != psutil.STATUS_ZOMBIE
        and each.name() != "postgres"
        and not nursery.is_part(each.pid)
    ]


async def test_the_templates_packages_are_bundled_already(sandbox: Sandbox) -> None:
    _, module = await get(sandbox, "/src/App.tsx")
    bundled = re.search(r"/node_modules/\.vite/deps/lucide-react\.js\?v=\w+", module)
    assert bundled, module[:500]
    assert (await get(sandbox, bundled[0]))[0] == 200
    before = (await get(sandbox, "/src/App.tsx"))[1]
    assert bundled[0] in before


async def test_the_hot_update_websocket_works_through_the_relay(sandbox: Sandbox) -> None:
    parts = urlsplit(sandbox.url)
    _, client = await get(sandbox, "/@vite/client")
    token = re.search(r'wsToken = "([^"]+)"', client)
    assert token
    await get(sandbox, "/src/main.tsx")
    await get(sandbox, "/src/App.tsx")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://127.0.0.1:{parts.port}/?token={token[1]}",
            protocols=["vite-hmr"],
            headers={"Host": parts.netloc, "Origin": f"http://{parts.netloc}"},
        ) as websocket,
    ):
        assert (await websocket.receive_json(timeout=PATIENCE_S))["type"] == "connected"
        await sandbox.write(APP, b"export default () => <h1>hot</h1>;\n")
        async with asyncio.timeout(PATIENCE_S):
            while (message := await websocket.receive_json())["type"] != "update":
                pass
        assert "/src/App.tsx" in [each["path"] for each in message["updates"]]


async def test_a_killed_sandbox_leaves_nothing_and_says_that_it_is_gone(
    sandbox: LocalSandbox,
) -> None:
    folder = sandbox._folder
    pid = sandbox._server._confined.pid
    await sandbox.kill()
    await sandbox.kill()
    assert not folder.exists()
    assert not psutil.pid_exists(pid)
    assert children() == []
    assert not await sandbox.is_alive()
    sandbox.renew()
    for refused in (
        sandbox.files(),
        sandbox.read(APP),
        sandbox.write(APP, b""),
        sandbox.delete(APP),
        sandbox.install(["react"]),
        sandbox.diagnostics(),
        sandbox.diagnostics([APP]),
        sandbox.put({APP: b""}),
        sandbox.run(["true"], print, 1),
        sandbox.screenshot(),
        sandbox.stirred(),
        sandbox.log_grew(0),
    ):
        with pytest.raises(SandboxGone, match="on request"):
            await refused
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(sandbox)


async def test_work_under_way_ends_with_its_sandbox(sandbox: LocalSandbox) -> None:
    looking = asyncio.create_task(sandbox.diagnostics())

    async def type_check_runs() -> bool:
        return len([each for each in children() if "bwrap" in each.name()]) > 2

    await until(type_check_runs)
    await sandbox.kill()
    with pytest.raises(SandboxGone):
        await looking
    assert children() == []


async def test_a_dev_server_that_dies_is_started_again(sandbox: LocalSandbox) -> None:
    before = sandbox._server._confined.pid
    os.kill(before, signal.SIGKILL)

    async def answers_again() -> bool:
        return sandbox._server._confined.pid != before and (await get(sandbox))[0] == 200

    await until(answers_again)
    assert await sandbox.is_alive()


async def test_a_dev_server_that_dies_again_and_again_ends_its_sandbox(
    sandbox: LocalSandbox,
) -> None:
    await sandbox.write(ProjectPath.parse("vite.config.ts"), b"process.exit(3);\n")

    async def is_dead() -> bool:
        return not await sandbox.is_alive()

    await until(is_dead)
    with pytest.raises(SandboxGone, match="again and again"):
        await sandbox.files()

    async def is_gone() -> bool:
        return not sandbox._folder.exists()

    await until(is_gone)


async def test_looking_at_the_preview_renews_the_lease(shared_places: Places) -> None:
    clock = Clock()
    settings = Settings(sandbox=SandboxSettings(pool_size=0, lease_s=60))
    provider = LocalProvider(settings, shared_places, clock=clock)
    try:
        sandbox = await make(provider)
        clock.now = 59
        await get(sandbox)
        clock.now = 61
        await provider.end_expired()
        assert await sandbox.is_alive()
    finally:
        await provider.close()


async def test_a_lease_that_nobody_renews_ends_the_sandbox(shared_places: Places) -> None:
    clock = Clock()
    settings = Settings(sandbox=SandboxSettings(pool_size=0, lease_s=60))
    provider = LocalProvider(settings, shared_places, clock=clock)
    try:
        forgotten, used = await make(provider), await make(provider)
        clock.now = 59
        used.renew()
        clock.now = 60
        await provider.end_expired()
        assert not await forgotten.is_alive()
        assert await used.is_alive()
        with pytest.raises(SandboxGone, match="1 minutes"):
            await forgotten.files()
        clock.now = 118
        await used.files()
        clock.now = 130
        await provider.end_expired()
        assert await used.is_alive()
    finally:
        await provider.close()
    assert children() == []


@pytest.fixture
async def pooling(shared_places: Places) -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=1)), shared_places)
    yield provider
    await provider.close()


async def test_a_warm_sandbox_is_handed_out_at_once_and_another_is_warmed_up(
    pooling: LocalProvider,
) -> None:
    first = await make(pooling)
    await pooling._pool.filled()
    (warm,) = pooling._pool._warm
    second = await make(pooling)
    assert second is warm
    assert second.id != first.id
    assert (await get(second))[0] == 200
    await pooling._pool.filled()
    third = await make(pooling)
    assert len({first.id, second.id, third.id}) == 3


async def test_a_warm_sandbox_that_has_died_is_not_handed_out(pooling: LocalProvider) -> None:
    first = await make(pooling)
    await pooling._pool.filled()
    (warm,) = [each for each in pooling._sandboxes.values() if each is not first]
    await warm.kill()
    second = await make(pooling)
    assert second is not warm
    assert (await get(second))[0] == 200


async def test_a_warm_sandbox_has_no_lease_until_it_is_handed_out(
    shared_places: Places,
) -> None:
    clock = Clock()
    provider = LocalProvider(
        Settings(sandbox=SandboxSettings(pool_size=1, lease_s=60)), shared_places, clock=clock
    )
    try:
        await make(provider)
        await provider._pool.filled()
        clock.now = 1000
        await provider.end_expired()
        second = await make(provider)
        await provider.end_expired()
        assert await second.is_alive()
    finally:
        await provider.close()


async def test_two_providers_do_not_disturb_each_other(
    provider: LocalProvider, pooling: LocalProvider
) -> None:
    one, other = await asyncio.gather(make(provider), make(pooling))
    assert urlsplit(one.url).port != urlsplit(other.url).port
    await one.write(APP, b"export default () => 1;\n")
    assert await other.read(APP) == template_files()["src/App.tsx"]
    await provider.close()
    assert (await get(other))[0] == 200


async def test_closing_ends_everything_within_a_second(shared_places: Places) -> None:
    provider = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=1)), shared_places)
    sandboxes = [await make(provider), await make(provider)]
    began = time.perf_counter()
    await provider.close()
    took_s = time.perf_counter() - began
    assert children() == []
    assert not any([await each.is_alive() for each in sandboxes])
    assert not any(each._folder.exists() for each in sandboxes)
    assert took_s < 8, "the bar is 1 s on a quiet machine"
    await provider.close()
    with pytest.raises(SandboxFailed, match="ending"):
        await provider.create(print)


async def test_a_cancelled_create_leaves_nothing(provider: LocalProvider) -> None:
    await (await make(provider)).kill()
    stages: list[str] = []
    creating = asyncio.create_task(provider.create(stages.append))

    async def has_started() -> bool:
        return bool(children()) and bool(stages)

    await until(has_started)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert children() == []
    assert provider._sandboxes == {}
    assert not list((await provider._open()).folder.path.glob("sb_*"))


async def test_a_dead_registry_is_told_in_seconds(open_folder: Path) -> None:
    places = Places(config=open_folder, state=open_folder, cache=open_folder / "cache")
    settings = Settings(sandbox=SandboxSettings(registry_url="http://127.0.0.1:9"))
    provider = LocalProvider(settings, places)
    began = time.perf_counter()
    try:
        with pytest.raises(SandboxFailed, match=r"registry at 127\.0\.0\.1 can't be reached"):
            await provider.create(print)
    finally:
        await provider.close()
    assert time.perf_counter() - began < 20
    assert not list((open_folder / "cache").rglob("*.draft"))
