"""The registry that sandboxes see, before a real one on the loopback interface."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from loopback_registry import LoopbackRegistry, serve_registry

from forge_lsp.sandbox.installing import registry as registry_module
from forge_lsp.sandbox.installing.proxy import RegistryProxy
from forge_lsp.sandbox.installing.registry import FRESH_S, OUTAGE_S, Registry, RegistryFailed
from forge_lsp.sandbox.installing.source import RegistrySource

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def upstream() -> AsyncIterator[LoopbackRegistry]:
    async with serve_registry() as served:
        yield served


@pytest.fixture
def clock() -> Clock:
    return Clock()


def open_registry(url: str, cache: Path, clock: Clock, *, days: float = 7) -> Registry:
    async def find() -> RegistrySource:
        return RegistrySource(url)

    return Registry(find, cache, minimum_age_days=days, now=clock)


@pytest.fixture
async def registry(
    upstream: LoopbackRegistry, tmp_path: Path, clock: Clock
) -> AsyncIterator[Registry]:
    opened = open_registry(upstream.url, tmp_path / "cache", clock)
    yield opened
    await opened.close()


@pytest.fixture
async def proxy_url(registry: Registry) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    proxy = await RegistryProxy.start(registry, listener)
    yield f"http://127.0.0.1:{port}"
    await proxy.close()


async def get_json(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_package_and_its_tarball_come_through(
    upstream: LoopbackRegistry, proxy_url: str
) -> None:
    upstream.publish("@scope/pkg", "1.0.0", dependencies={"a": "^1"})
    for path in ("/@scope%2fpkg", "/@scope/pkg"):
        status, body = await get_json(proxy_url + path)
        assert status == 200
        assert body["versions"]["1.0.0"]["dependencies"] == {"a": "^1"}
    tarball = body["versions"]["1.0.0"]["dist"]["tarball"]
    assert tarball == "http://127.0.0.1:4873/@scope/pkg/-/pkg-1.0.0.tgz"
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{proxy_url}/@scope/pkg/-/pkg-1.0.0.tgz") as answer,
    ):
        assert await answer.read() == upstream.tarballs["/@scope/pkg/-/pkg-1.0.0.tgz"]


async def test_a_young_version_is_neither_listed_nor_served(
    upstream: LoopbackRegistry, proxy_url: str
) -> None:
    upstream.publish("pkg", "1.0.0")
    upstream.publish("pkg", "1.0.1", at=YESTERDAY)
    _, body = await get_json(f"{proxy_url}/pkg")
    assert list(body["versions"]) == ["1.0.0"]
    assert body["dist-tags"] == {"latest": "1.0.0"}
    status, body = await get_json(f"{proxy_url}/pkg/-/pkg-1.0.1.tgz")
    assert status == 403
    assert "too young" in body["error"]
    assert not any(path.endswith(".tgz") for _, path, _ in upstream.asked)


async def test_a_package_that_is_all_young_says_so(
    upstream: LoopbackRegistry, proxy_url: str
) -> None:
    upstream.publish("pkg", "1.0.0", at=YESTERDAY)
    status, body = await get_json(f"{proxy_url}/pkg")
    assert status == 403
    assert body["error"] == "Every version of pkg is younger than 7 days."


async def test_ages_that_nobody_tells_are_refused(
    upstream: LoopbackRegistry, registry: Registry
) -> None:
    upstream.publish("pkg", "1.0.0", at=YESTERDAY)
    del upstream.packages["pkg"]["time"]
    with pytest.raises(RegistryFailed, match="MINIMUM_RELEASE_AGE_DAYS=0"):
        await registry.packument("pkg")


async def test_without_a_minimum_age_everything_is_served(
    upstream: LoopbackRegistry, tmp_path: Path, clock: Clock
) -> None:
    upstream.publish("pkg", "1.0.0", at=YESTERDAY)
    registry = open_registry(upstream.url, tmp_path, clock, days=0)
    try:
        assert list((await registry.packument("pkg")).versions) == ["1.0.0"]
        assert (await registry.tarball("pkg", "1.0.0")).read_bytes()
    finally:
        await registry.close()


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_nothing_but_get_is_passed_on(
    upstream: LoopbackRegistry, proxy_url: str, method: str
) -> None:
    upstream.publish("pkg", "1.0.0")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{proxy_url}/pkg", data=b"{}") as answer,
    ):
        assert answer.status == 405
    assert not upstream.asked


async def test_connect_opens_no_tunnel(upstream: LoopbackRegistry, proxy_url: str) -> None:
    answer = await raw(proxy_url, f"CONNECT {upstream.url[7:]} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " not in answer.splitlines()[0]
    assert not upstream.asked


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/-/whoami",
        "/-/v1/search?text=x",
        "/-/npm/v1/security/advisories/bulk",
        "/pkg?write=true",
        "/pkg/1.0.0",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/pkg/-/..%2f..%2fpkg-1.0.0.tgz",
        "/pkg/-/pkg-../../1.0.0.tgz",
        "/pkg/-/pkg-..%2f1.tgz",
        "/pkg/-/other-1.0.0.tgz",
        "/pkg/-/pkg-latest.tgz",
        "/pkg%00",
        "/@scope",
        "/@scope%2f..%2fpkg",
        "/http:%2f%2fexample.test%2fx",
        "/pkg%0d%0aX-Injected:%201",
        "/PKG",
    ],
)
async def test_any_other_path_is_refused_unasked(
    upstream: LoopbackRegistry, proxy_url: str, path: str
) -> None:
    upstream.publish("pkg", "1.0.0")
    answer = await raw(proxy_url, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] in (b"400", b"403"), answer
    assert not upstream.asked


async def test_an_absolute_target_reaches_no_other_host(
    upstream: LoopbackRegistry, proxy_url: str
) -> None:
    target = f"{upstream.url}/secret"
    answer = await raw(proxy_url, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] in (b"400", b"403", b"404")
    assert b"secret" not in answer or b"not in the npm registry" in answer


async def test_the_clients_headers_stay_outside(upstream: LoopbackRegistry, proxy_url: str) -> None:
    upstream.publish("pkg", "1.0.0")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{proxy_url}/pkg", headers={"Authorization": "Bearer x", "Cookie": "a=b"}),
    ):
        pass
    for _, _, headers in upstream.asked:
        assert "Authorization" not in headers
        assert "Cookie" not in headers


async def test_a_packument_is_fetched_once_and_later_only_compared(
    upstream: LoopbackRegistry, registry: Registry, clock: Clock
) -> None:
    upstream.publish("pkg", "1.0.0")
    await registry.packument("pkg")
    await registry.packument("pkg")
    assert len(upstream.asked) == 1
    clock.now += FRESH_S + 1
    assert (await registry.packument("pkg")).versions
    assert "If-None-Match" in upstream.asked[1][2]


async def test_a_tarball_is_fetched_once_for_all_who_ask_at_once(
    upstream: LoopbackRegistry, registry: Registry
) -> None:
    import asyncio

    upstream.publish("pkg", "1.0.0")
    places = await asyncio.gather(*(registry.tarball("pkg", "1.0.0") for _ in range(10)))
    assert len(set(places)) == 1
    assert [path for _, path, _ in upstream.asked].count("/pkg/-/pkg-1.0.0.tgz") == 1


async def test_a_tarball_that_is_not_what_was_promised_is_not_kept(
    upstream: LoopbackRegistry, registry: Registry, tmp_path: Path
) -> None:
    upstream.publish("pkg", "1.0.0")
    upstream.tarballs["/pkg/-/pkg-1.0.0.tgz"] = b"something else"
    with pytest.raises(RegistryFailed, match="promised"):
        await registry.tarball("pkg", "1.0.0")
    assert not list((tmp_path / "cache").iterdir())


async def test_what_is_too_large_is_cut_off(
    upstream: LoopbackRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upstream.publish("pkg", "1.0.0")
    monkeypatch.setattr(registry_module, "MAX_TARBALL_BYTES", 10)
    with pytest.raises(RegistryFailed, match="larger"):
        await registry.tarball("pkg", "1.0.0")
    assert not list((tmp_path / "cache").iterdir())
    monkeypatch.setattr(registry_module, "MAX_PACKUMENT_BYTES", 10)
    upstream.publish("other", "1.0.0")
    with pytest.raises(RegistryFailed, match="larger"):
        await registry.packument("other")


async def test_the_cache_is_trimmed_from_its_oldest_end(
    upstream: LoopbackRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for version in ("1.0.0", "2.0.0"):
        upstream.publish("pkg", version)
    old, new = [await registry.tarball("pkg", each) for each in ("1.0.0", "2.0.0")]
    os.utime(old, (1, 1))
    monkeypatch.setattr(registry_module, "MAX_CACHE_BYTES", new.stat().st_size)
    await registry.close()
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_the_registrys_refusals_are_told_in_words(
    upstream: LoopbackRegistry, registry: Registry, status: int
) -> None:
    upstream.status = status
    with pytest.raises(RegistryFailed, match={401: "login", 404: "not in", 500: "500"}[status]):
        await registry.packument("pkg")


async def test_a_dead_registry_fails_at_once_and_is_not_asked_again(
    tmp_path: Path, clock: Clock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    registry = open_registry(url, tmp_path, clock)
    try:
        with pytest.raises(RegistryFailed, match=r"127\.0\.0\.1 can't be reached") as first:
            await registry.packument("a")
        async with serve_registry():
            with pytest.raises(RegistryFailed) as second:
                await registry.packument("b")
        assert second.value.message == first.value.message
        assert first.value.status == 504
        clock.now += OUTAGE_S + 1
        with pytest.raises(RegistryFailed):
            await registry.packument("c")
    finally:
        await registry.close()


async def test_a_silent_registry_is_given_up(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "SILENCE_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = open_registry(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, clock)
        try:
            with pytest.raises(RegistryFailed, match="can't be reached"):
                await registry.packument("pkg")
        finally:
            await registry.close()


async def test_a_password_in_the_registrys_address_is_never_told(
    tmp_path: Path, clock: Clock
) -> None:
    registry = open_registry("http://user:secret@127.0.0.1:1", tmp_path, clock)
    try:
        with pytest.raises(RegistryFailed) as failed:
            await registry.packument("pkg")
        assert "secret" not in failed.value.for_people()
    finally:
        await registry.close()


async def raw(url: str, request: str) -> bytes:
    import asyncio

    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request.encode())
        return await asyncio.wait_for(reader.read(65536), 5)
    finally:
        writer.close()
        await writer.wait_closed()
