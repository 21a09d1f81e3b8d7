"""Packages in a cloud sandbox, from a registry on the loopback interface."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from e2b_double import E2bDouble
from loopback_registry import LoopbackRegistry, serve_registry

from forge_lsp.errors import PackageRefused, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.e2b.instance import E2bSandbox
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MANIFEST = ProjectPath.parse("package.json")


@pytest.fixture
async def upstream() -> AsyncIterator[LoopbackRegistry]:
    async with serve_registry() as registry:
        yield registry


@pytest.fixture
def e2b_settings(e2b_settings: SandboxSettings, upstream: LoopbackRegistry) -> SandboxSettings:
    return msgspec.structs.replace(e2b_settings, registry_url=upstream.url)


async def test_packages_are_installed_and_the_report_tells_of_each(
    sandbox: E2bSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("leaf", "1.4.0")
    upstream.publish("one", "1.0.0", dependencies={"leaf": "^1.0.0"})
    upstream.publish("@scope/two", "2.0.0")
    upstream.publish("young", "3.0.0", at=datetime.now(UTC).isoformat())
    report = await sandbox.install(
        ["missing", "@scope/two", "young", "one@^1", "one@9.9.9", "leaf@latest"]
    )
    assert [(each.name, each.version) for each in report.installed] == [
        ("@scope/two", "2.0.0"),
        ("one", "1.0.0"),
        ("leaf", "1.4.0"),
    ]
    reasons = {each.name: each.reason for each in report.failed}
    assert list(reasons) == ["missing", "young", "one"]
    assert "404" in reasons["missing"]
    assert "young" in reasons["young"]
    assert "one@9.9.9" in reasons["one"]
    assert json.loads(await sandbox.read(MANIFEST))["dependencies"]["one"] == "^1.0.0"
    asked = len(upstream.asked)
    again = await sandbox.install(["one", "leaf@1.4.0"])
    assert [each.name for each in again.installed] == ["one", "leaf"]
    assert len(upstream.asked) == asked


async def test_packages_that_disagree_on_a_peer_are_installed_all_the_same(
    sandbox: E2bSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("react", "19.0.0")
    upstream.publish("picky", "1.0.0", peerDependencies={"react": "^16.0.0"})
    report = await sandbox.install(["react", "picky"])
    assert [each.name for each in report.installed] == ["react", "picky"], report


@pytest.mark.parametrize(
    "wanted", ["git+https://example.test/x.git", "https://example.test/x.tgz", "file:../../etc"]
)
async def test_a_dependency_of_a_dependency_cannot_lead_elsewhere(
    sandbox: E2bSandbox, upstream: LoopbackRegistry, wanted: str
) -> None:
    upstream.publish("trojan", "1.0.0", dependencies={"inner": wanted})
    report = await sandbox.install(["trojan"])
    assert report.installed == ()
    assert [each.name for each in report.failed] == ["trojan"]


async def test_a_script_of_a_package_is_not_run(
    sandbox: E2bSandbox, upstream: LoopbackRegistry, double: E2bDouble
) -> None:
    upstream.publish("noisy", "1.0.0", scripts={"postinstall": "touch ../../pwned"})
    assert (await sandbox.install(["noisy"])).failed == ()
    assert not list(double.one().machine.home.rglob("pwned"))


async def test_configuration_in_the_folder_turns_nobodys_head(
    sandbox: E2bSandbox, upstream: LoopbackRegistry, double: E2bDouble
) -> None:
    upstream.publish("@scope/two", "2.0.0")
    home = double.one().machine.home
    for place in (home / "app/.npmrc", home / ".npmrc"):
        place.write_text("@scope:registry=http://127.0.0.1:9/\nignore-scripts=false\n")
    report = await sandbox.install(["@scope/two"])
    assert [each.name for each in report.installed] == ["@scope/two"], report
    assert not (home / "app/.npmrc").exists()


@pytest.mark.parametrize(
    "wanted", ["git+https://example.test/x.git", "npm:evil@1", "file:/etc", "1; touch pwned"]
)
async def test_a_manifest_that_leads_elsewhere_is_refused(
    sandbox: E2bSandbox, upstream: LoopbackRegistry, wanted: str
) -> None:
    upstream.publish("leaf", "1.0.0")
    await sandbox.write(MANIFEST, json.dumps({"dependencies": {"x": wanted}}).encode())
    with pytest.raises(PackageRefused, match="dependencies"):
        await sandbox.install(["leaf"])
    assert upstream.asked == []


async def test_a_package_that_lies_about_itself_is_not_there(
    sandbox: E2bSandbox, upstream: LoopbackRegistry, double: E2bDouble
) -> None:
    upstream.publish("leaf", "1.0.0")
    modules = double.one().machine.home / "app/node_modules"
    for name, manifest in {
        "text": '"1.0.0"',
        "wrong": '{"version": "$(id)"}',
        "number": '{"version": 7}',
        "broken": "{",
    }.items():
        (modules / name).mkdir(parents=True)
        (modules / name / "package.json").write_text(manifest)
    report = await sandbox.install(["text@1.0.0", "wrong", "number", "broken"])
    assert report.installed == ()
    assert len(report.failed) == 4


async def test_a_registry_that_hangs_is_told(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    never = asyncio.Event()
    asked = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await never.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = msgspec.structs.replace(
        e2b_settings, registry_url=f"http://127.0.0.1:{port}", install_timeout_s=3
    )
    provider = E2bProvider(Settings(sandbox=settings), places)
    try:
        sandbox = await provider.create(print)
        with pytest.raises(SandboxFailed, match="npm did not end within 3 s"):
            await sandbox.install(["leaf"])
        assert asked.is_set()
        assert not [each for each in double.one().machine.programs.values() if "npm" in str(each)]
    finally:
        await provider.close()
        never.set()
        server.close()


async def test_a_registry_that_fails_is_told(
    sandbox: E2bSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.status = 500
    report = await sandbox.install(["leaf"])
    assert "500" in report.failed[0].reason
