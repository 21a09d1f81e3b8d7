"""Installs by the real npm, confined, from a registry on the loopback interface."""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loopback_registry import LoopbackRegistry, serve_registry

from forge_lsp.errors import PackageRefused
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.instance import LocalSandbox
from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]

MANIFEST = ProjectPath.parse("package.json")


@pytest.fixture
async def upstream() -> AsyncIterator[LoopbackRegistry]:
    async with serve_registry() as served:
        yield served


@pytest.fixture
async def sandbox(
    provider: LocalProvider, upstream: LoopbackRegistry, shared_places: Places
) -> AsyncIterator[LocalSandbox]:
    # The template comes from the machine's own registry, the rest from the test's.
    await (await provider._open()).preparation.prepared(print)
    settings = SandboxSettings(pool_size=0, registry_url=upstream.url)
    own = LocalProvider(Settings(sandbox=settings), shared_places)
    made = await own.create(print)
    assert isinstance(made, LocalSandbox)
    yield made
    await own.close()


def paths(upstream: LoopbackRegistry) -> list[str]:
    return [path for _, path, _ in upstream.asked]


async def test_what_is_there_already_is_installed_without_asking(
    sandbox: Sandbox, upstream: LoopbackRegistry
) -> None:
    report = await sandbox.install(["react", "clsx", "clsx@2.1.1"])
    assert [each.name for each in report.installed] == ["react", "clsx", "clsx"]
    assert report.failed == ()
    assert not upstream.asked


async def test_good_names_are_installed_and_bad_ones_fail_alone(
    sandbox: Sandbox, upstream: LoopbackRegistry
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
    assert reasons["missing"] == "missing is not in the npm registry."
    assert "younger than 7 days" in reasons["young"]
    assert "one@9.9.9" in reasons["one"]
    wanted = json.loads(await sandbox.read(MANIFEST))["dependencies"]
    assert wanted["one"] == "^1.0.0"
    assert b"127.0.0.1" not in await sandbox.read(ProjectPath.parse("package-lock.json"))
    again = await sandbox.install(["one"])
    assert [each.name for each in again.installed] == ["one"]


async def test_a_package_whose_dependency_is_missing_fails_without_the_others(
    sandbox: Sandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("broken", "1.0.0", dependencies={"not-published": "1"})
    upstream.publish("whole", "1.0.0")
    report = await sandbox.install(["broken", "whole"])
    assert [each.name for each in report.installed] == ["whole"]
    assert [each.name for each in report.failed] == ["broken"]
    assert "not-published is not in the npm registry" in report.failed[0].reason


async def test_packages_that_disagree_on_a_peer_are_installed_all_the_same(
    sandbox: Sandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("picky", "1.0.0", peerDependencies={"react": "^16.0.0"})
    report = await sandbox.install(["picky"])
    assert [each.name for each in report.installed] == ["picky"]


async def test_a_dependency_of_a_dependency_cannot_lead_elsewhere(
    sandbox: Sandbox, upstream: LoopbackRegistry
) -> None:
    elsewhere = ("git+https://example.test/x.git", "https://example.test/x.tgz", "file:../../etc")
    for number, wanted in enumerate(elsewhere):
        name = f"trojan-{number}"
        upstream.publish(name, "1.0.0", dependencies={"inner": wanted})
        report = await sandbox.install([name])
        assert [each.name for each in report.failed] == [name], wanted
        assert report.installed == (), wanted


async def test_scripts_of_packages_never_run(
    sandbox: LocalSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("scripted", "1.0.0", scripts={"postinstall": "touch /app/ran"})
    manifest = json.loads(await sandbox.read(MANIFEST))
    manifest["scripts"] |= {"preinstall": "touch /app/ran", "prepare": "touch /app/ran"}
    await sandbox.write(MANIFEST, json.dumps(manifest).encode())
    report = await sandbox.install(["scripted"])
    assert [each.name for each in report.installed] == ["scripted"]
    assert not (sandbox._folder / "ran").exists()


async def test_a_manifest_that_the_model_made_hostile_stops_the_install(
    sandbox: Sandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("honest", "1.0.0")
    for dependencies in ({"x": "file:/etc"}, {"x": "npm:evil@1"}, {"../x": "1"}, ["x"]):
        await sandbox.write(MANIFEST, json.dumps({"dependencies": dependencies}).encode())
        with pytest.raises(PackageRefused, match=r"package\.json"):
            await sandbox.install(["honest"])
    assert not upstream.asked


async def test_npms_configuration_in_the_sandbox_is_taken_away(
    sandbox: LocalSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("@scope/pkg", "1.0.0")
    place = sandbox._folder / ".npmrc"
    place.write_text("@scope:registry=http://127.0.0.1:1/\nignore-scripts=false\n")
    report = await sandbox.install(["@scope/pkg"])
    assert [each.name for each in report.installed] == ["@scope/pkg"]
    assert not place.exists()


async def test_links_and_pipes_in_node_modules_are_not_taken_for_packages(
    sandbox: LocalSandbox, upstream: LoopbackRegistry, tmp_path: Path
) -> None:
    (tmp_path / "package.json").write_text('{"version": "6.6.6"}')
    modules = sandbox._folder / "node_modules"
    (modules / "linked").symlink_to(tmp_path)
    (modules / "piped").mkdir()
    os.mkfifo(modules / "piped" / "package.json")
    (modules / "lying").mkdir()
    (modules / "lying" / "package.json").write_text('{"version": ["1.0.0"]}')
    report = await sandbox.install(["linked", "piped", "lying"])
    assert report.installed == ()
    assert [each.name for each in report.failed] == ["linked", "piped", "lying"]


async def test_the_users_own_npm_settings_do_not_reach_the_sandbox(
    sandbox: LocalSandbox, upstream: LoopbackRegistry
) -> None:
    upstream.publish("pkg", "1.0.0")
    await sandbox.install(["pkg"])
    assert upstream.asked
    for _, _, headers in upstream.asked:
        assert not {"authorization", "npm-session", "cookie"} & {name.lower() for name in headers}
