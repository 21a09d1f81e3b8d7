"""The provider at E2B: what it asks for, what it finds again, and that it leaves nothing."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from e2b_double import E2bDouble
from e2b_machine import Template
from sandbox_contract import APP, Folder, until

from forge_lsp.app import open_engine
from forge_lsp.errors import NotFound, SandboxFailed, SandboxGone, WorkspaceRefused
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.sandbox.e2b.python import Python
from forge_lsp.settings import Places, SandboxSettings, Settings

CREATE = "POST /v2/sandboxes"
KILL = r"DELETE /sandboxes/\w+"


async def no_sandboxes(double: E2bDouble) -> None:
    async def none() -> bool:
        return not double.sandboxes

    await until(none)


async def test_a_sandbox_is_asked_for_with_what_the_settings_say(
    provider: E2bProvider, double: E2bDouble, places: Places
) -> None:
    stages: list[str] = []
    sandbox = await provider.create(stages.append)
    body = double.one().body
    owner = (places.state / "e2b-owner").read_text()
    assert body["templateID"] == "bare"
    assert body["timeout"] == 1980
    assert body["metadata"] == {
        "forge-lsp-owner": owner,
        "forge-lsp-process": str(os.getpid()),
        "forge-lsp-kind": "app",
    }
    assert body["network"] == {"allowOut": ["registry.npmjs.org"], "denyOut": ["0.0.0.0/0"]}
    assert body["autoPause"] is False
    assert len(owner) == 32
    assert sandbox.url == f"http://5173-{sandbox.id}.e2b.test/"
    assert stages == ["Asking E2B for a sandbox...", "Waiting for the preview..."]
    assert provider.name == "e2b"


async def test_internet_and_pausing_are_asked_for_only_where_they_are_set(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    settings = msgspec.structs.replace(e2b_settings, e2b_internet=True, e2b_on_timeout="pause")
    provider = E2bProvider(Settings(sandbox=settings), places)
    try:
        await provider.create(print)
        body = double.one().body
        assert "network" not in body
        assert (body["autoPause"], body["autoResume"]["enabled"]) == (True, True)
        assert "whole network" in (await provider.isolation()).detail
    finally:
        await provider.close()


async def test_after_a_restart_sandboxes_are_found_and_taken_up_again(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    settings = Settings(sandbox=msgspec.structs.replace(e2b_settings, e2b_on_timeout="pause"))
    first = E2bProvider(settings, places)
    made = [await first.create(print) for _ in range(3)]
    await made[0].write(APP, b"from before")
    await double.expire(made[1].id)
    second = E2bProvider(settings, places)
    try:
        left = await second.left()
        assert {each.id for each in left} == {each.id for each in made}
        assert [each.id for each in left if each.is_paused] == [made[1].id]
        assert {each.process for each in left} == {str(os.getpid())}
        again = await second.reconnect(made[0].id, print)
        assert again is await second.reconnect(made[0].id, print)
        assert again.url == made[0].url
        assert await again.read(APP) == b"from before"
        paused = await second.reconnect(made[1].id, print)
        assert await paused.read(APP) == b"export default 1;\n"
        with pytest.raises(NotFound):
            await second.reconnect("iunknown", print)
    finally:
        await second.close()
    assert set(double.sandboxes) == {made[2].id}
    await first.close()
    assert double.sandboxes == {}


async def test_a_projects_sandboxes_are_found_by_it_and_its_name_is_told_to_nobody(
    provider: E2bProvider, double: E2bDouble
) -> None:
    mine = await provider.create(print, project="file:///home/me/shop")
    await provider.create(print, project="file:///home/me/blog")
    await provider.create(print)
    assert [each.id for each in await provider.left("file:///home/me/shop")] == [mine.id]
    assert len(await provider.left()) == 3
    assert await provider.left("file:///home/me/none") == []
    assert "shop" not in str([each.body for each in double.sandboxes.values()])


async def test_pythons_sandboxes_are_no_previews_to_take_up(
    provider: E2bProvider, e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    python = Python(Settings(sandbox=e2b_settings), places)
    try:
        await python.run("one", "1", print)
        assert await provider.left() == []
        with pytest.raises(NotFound):
            await provider.reconnect(double.one().id, print)
    finally:
        await python.close()


async def test_a_workspace_that_cannot_be_read_leaves_no_sandbox(
    provider: E2bProvider, double: E2bDouble
) -> None:
    class Unreadable(Folder):
        async def files(self) -> list[ProjectPath]:
            raise WorkspaceRefused("The folder is gone.")

    with pytest.raises(WorkspaceRefused):
        await provider.create(print, Unreadable({}))
    await no_sandboxes(double)


async def test_a_project_that_starts_by_its_own_script_is_told_what_it_does_not_get(
    provider: E2bProvider,
) -> None:
    stages: list[str] = []
    own = b'{"scripts": {"dev": "next dev"}, "private": true}'
    sandbox = await provider.create(stages.append, Folder({"package.json": own, "app/x.ts": b"x"}))
    assert any("its own script `dev`" in each for each in stages)
    assert await sandbox.read(ProjectPath.parse("app/x.ts")) == b"x"


async def test_somebody_elses_sandboxes_are_not_seen(
    provider: E2bProvider, e2b_settings: SandboxSettings, tmp_path: Path, double: E2bDouble
) -> None:
    mine = await provider.create(print)
    elsewhere = Places(tmp_path / "o/config", tmp_path / "o/state", tmp_path / "o/cache")
    other = E2bProvider(Settings(sandbox=e2b_settings), elsewhere)
    try:
        assert await other.left() == []
        with pytest.raises(NotFound, match="of yours"):
            await other.reconnect(mine.id, print)
    finally:
        await other.close()
    assert await mine.is_alive()


async def test_closing_ends_everything_and_nothing_is_made_afterwards(
    provider: E2bProvider, double: E2bDouble
) -> None:
    sandboxes = await asyncio.gather(provider.create(print), provider.create(print))
    homes = [each.machine.home for each in double.sandboxes.values()]
    await provider.close()
    assert double.sandboxes == {}
    assert not any(home.exists() for home in homes)
    for each in sandboxes:
        with pytest.raises(SandboxGone, match="server has ended"):
            await each.files()
    with pytest.raises(SandboxFailed, match="ending"):
        await provider.create(print)
    await provider.close()


async def test_closing_without_a_network_ends_all_the_same(
    provider: E2bProvider, double: E2bDouble, caplog: pytest.LogCaptureFixture
) -> None:
    await provider.create(print)
    double.fault(KILL, "drop", times=99)
    await provider.close()
    assert "ends with its lease only" in caplog.text


async def test_a_kill_that_fails_is_told_and_can_be_tried_again(
    provider: E2bProvider, double: E2bDouble
) -> None:
    sandbox = await provider.create(print)
    double.fault(KILL, status=503, times=3)
    with pytest.raises(SandboxFailed, match="ending the sandbox"):
        await sandbox.kill()
    await sandbox.kill()
    assert double.sandboxes == {}


async def test_a_create_that_is_cancelled_leaves_nothing(
    provider: E2bProvider, double: E2bDouble
) -> None:
    double.fault(CREATE, "slow", seconds=0.3)
    creating = asyncio.create_task(provider.create(print))

    async def was_asked() -> bool:
        return double.faults.count(CREATE) > 0

    await until(was_asked)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating

    async def was_made() -> bool:
        return double.faults.count(KILL) > 0

    await until(was_made)
    await no_sandboxes(double)


async def test_a_create_that_is_cancelled_while_it_waits_for_the_page_leaves_nothing(
    provider: E2bProvider, double: E2bDouble
) -> None:
    double.fault("GET /", status=404, times=10_000)
    creating = asyncio.create_task(provider.create(print))

    async def is_waiting() -> bool:
        return double.faults.count("GET /") > 1

    await until(is_waiting)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    await no_sandboxes(double)


async def test_a_sandbox_whose_page_never_answers_is_ended_and_told(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    settings = msgspec.structs.replace(e2b_settings, start_timeout_s=0.5)
    double.fault("GET /", status=404, times=10_000)
    provider = E2bProvider(Settings(sandbox=settings), places)
    with pytest.raises(SandboxFailed, match="did not answer within") as caught:
        await provider.create(print)
    assert "FORGE_SANDBOX_START_TIMEOUT_S" in caught.value.remedy
    await provider.close()
    assert double.sandboxes == {}


async def test_a_dev_server_that_never_starts_is_quoted(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble, tmp_path: Path
) -> None:
    broken = tmp_path / "broken/home"
    shutil.copytree(double.templates["bare"].home, broken)
    program = broken / "app/node_modules/vite/bin/vite.js"
    program.write_text("console.log('no such plugin'); process.exit(1);\n")
    double.templates["bare"] = Template(broken, "sh .forge-lsp/dev-server.sh")
    settings = msgspec.structs.replace(e2b_settings, start_timeout_s=2)
    provider = E2bProvider(Settings(sandbox=settings), places)
    with pytest.raises(SandboxFailed, match="no such plugin"):
        await provider.create(print)
    await provider.close()


async def test_no_password_of_the_user_reaches_a_preview(
    provider: E2bProvider, double: E2bDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sandbox = await provider.create(print)
    await sandbox.diagnostics()
    assert double.previewed
    assert not [each for each in double.previewed if "Authorization" in each]


async def test_a_template_whose_dev_server_is_not_running_has_it_started(
    provider: E2bProvider, double: E2bDouble, bare_template: Template
) -> None:
    double.templates["bare"] = Template(bare_template.home, "")
    sandbox = await provider.create(print)
    assert await sandbox.is_alive()
    assert (await sandbox.diagnostics()).checks[0].ok


async def test_the_application_opens_it_where_the_settings_name_it(
    e2b_settings: SandboxSettings, places: Places
) -> None:
    places.state.mkdir(parents=True)
    settings = Settings(database_url=f"sqlite:///{places.state}/test.db", sandbox=e2b_settings)
    engine = await open_engine(settings, places)
    try:
        assert isinstance(await engine.sandboxes.provider.get(), E2bProvider)
    finally:
        await engine.sandboxes.close()
        await engine.store.close()


def test_nobody_imports_the_sdk_before_a_sandbox_is_asked_for() -> None:
    look = "import sys, forge_lsp.app, forge_lsp.sandbox.local; print('e2b' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip() == "False"
