"""E2B's double with its templates."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from e2b_archives import unpack
from e2b_double import DOMAIN, E2bDouble
from e2b_machine import Template

from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.sandbox.e2b.template import packed
from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, SandboxSettings, Secret, Settings

pytest.register_assert_rewrite("sandbox_contract")

Look = Callable[[Sandbox, str], Awaitable[tuple[int, str]]]
BARE = Path(__file__).parent / "bare"


def unpack_template(home: Path) -> None:
    """What a template holds beside its packages."""
    unpack(packed(SandboxSettings(), DOMAIN), home)


@pytest.fixture(scope="session")
def bare_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An app whose dev server is a page of JavaScript: quick, and enough for what isn't Vite's."""
    home = tmp_path_factory.mktemp("bare") / "home"
    unpack_template(home)
    shutil.rmtree(home / "app")
    shutil.copytree(BARE, home / "app")
    vite = home / "app/node_modules/vite/bin"
    vite.mkdir(parents=True)
    (home / "app/dev-server.js").rename(vite / "vite.js")
    return Template(home, "sh .forge-lsp/dev-server.sh")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real template with its packages, which the local provider prepares on this machine."""
    cache = os.environ.get("FORGE_TEST_CACHE")
    folder = tmp_path_factory.mktemp("prepared")
    places = Places(folder, folder, Path(cache) if cache else Places.find().cache / "tests")

    async def prepare() -> Path:
        local = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=0)), places)
        try:
            report = await local.isolation()
            if report.tier == "none" and os.environ.get("CI") != "true":
                pytest.skip(f"this machine can't prepare the template: {report.detail}")
            return await (await local._open()).preparation.prepared(print)
        finally:
            await local.close()

    return asyncio.run(prepare())


@pytest.fixture(scope="session")
def vite_template(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Template:
    home = tmp_path_factory.mktemp("vite") / "home"
    unpack_template(home)
    shutil.copytree(prepared / "node_modules", home / "app/node_modules", symlinks=True)
    return Template(home, "sh .forge-lsp/dev-server.sh")


@pytest.fixture
async def double(
    tmp_path: Path, bare_template: Template, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[E2bDouble]:
    made = E2bDouble(tmp_path / "e2b")
    made.templates["bare"] = bare_template
    (tmp_path / "python/home").mkdir(parents=True)
    made.templates["code-interpreter-v1"] = Template(tmp_path / "python/home", "")
    async with made.serving():
        for name in tuple(os.environ):
            if name.startswith(("E2B_", "FORGE_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("E2B_API_URL", made.url)
        monkeypatch.setenv("E2B_SANDBOX_URL", made.gateway)
        # Previews have names that no resolver knows; the gateway is a proxy that does.
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, made.gateway)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1,localhost")
        yield made


@pytest.fixture
def e2b_settings(double: E2bDouble) -> SandboxSettings:
    return SandboxSettings(
        provider="e2b",
        e2b_api_key=Secret(double.key),
        e2b_domain=DOMAIN,
        e2b_preview_url="http://{port}-{id}.{domain}/",
        e2b_template="bare",
        e2b_attempts=3,
        e2b_max_retry_delay_s=0.02,
        start_timeout_s=30,
    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "config", tmp_path / "state", tmp_path / "cache")


@pytest.fixture
async def provider(e2b_settings: SandboxSettings, places: Places) -> AsyncIterator[E2bProvider]:
    made = E2bProvider(Settings(sandbox=e2b_settings), places)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def sandbox(provider: E2bProvider) -> Sandbox:
    return await provider.create(print)


@pytest.fixture
def look() -> Look:
    """Asks for a page of a preview, as a browser would."""

    async def get(sandbox: Sandbox, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.get(sandbox.url.rstrip("/") + path) as answer,
        ):
            return answer.status, await answer.text()

    return get
