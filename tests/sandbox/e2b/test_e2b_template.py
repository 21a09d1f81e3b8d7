"""Building the template, at the double."""

import logging
from pathlib import Path

import msgspec
import pytest
from e2b_double import E2bDouble
from sandbox_contract import Look

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.sandbox.e2b.template import build_template, install_command
from forge_lsp.sandbox.template import template_files
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def e2b_settings(e2b_settings: SandboxSettings) -> SandboxSettings:
    return msgspec.structs.replace(e2b_settings, e2b_template=None, e2b_cpus=4, memory_mb=2048)


async def test_the_template_is_built_and_sandboxes_are_made_from_it(
    e2b_settings: SandboxSettings,
    places: Places,
    double: E2bDouble,
    prepared: Path,
    look: Look,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    command = install_command(e2b_settings)
    double.builds.cache[command] = (prepared / "node_modules", "app/node_modules")
    stages: list[str] = []
    name = await build_template(Settings(sandbox=e2b_settings), stages.append)
    assert name.startswith("forge-lsp-")
    assert capfd.readouterr().out == ""
    assert "Build finished" in stages
    assert any("RUN" in each for each in stages)
    assert double.key not in "".join(stages) + caplog.text
    (build,) = double.builds.builds.values()
    assert (build.asked["cpuCount"], build.asked["memoryMB"]) == (4, 2048)
    assert [each["type"] for each in build.steps] == ["USER", "WORKDIR", "COPY", "RUN", "RUN"]
    provider = E2bProvider(Settings(sandbox=e2b_settings), places)
    try:
        sandbox = await provider.create(print)
        assert (await look(sandbox, "/"))[0] == 200
        assert set(await sandbox.files()) == set(template_files())
        assert (await sandbox.diagnostics()).diagnostics == ()
    finally:
        await provider.close()


async def test_a_build_that_fails_is_told(
    e2b_settings: SandboxSettings, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    settings = msgspec.structs.replace(e2b_settings, registry_url="http://127.0.0.1:9/'; exit 3;'")
    with pytest.raises(SandboxFailed, match="could not build the template") as caught:
        await build_template(Settings(sandbox=settings), print)
    assert "npm ci" in caught.value.message
    assert double.templates.keys() == {"bare", "code-interpreter-v1"}


async def test_a_build_goes_on_when_a_question_about_it_fails(
    e2b_settings: SandboxSettings, double: E2bDouble, prepared: Path
) -> None:
    command = install_command(e2b_settings)
    double.builds.cache[command] = (prepared / "node_modules", "app/node_modules")
    double.fault(r"GET /templates/.*/status", status=502, times=2)
    assert await build_template(Settings(sandbox=e2b_settings), print) in double.templates


async def test_without_a_key_nothing_is_built(e2b_settings: SandboxSettings) -> None:
    settings = msgspec.structs.replace(e2b_settings, e2b_api_key=None)
    with pytest.raises(SandboxFailed, match="no key"):
        await build_template(Settings(sandbox=settings), print)
