"""The provider at E2B: what it asks for, what it finds again, and that it leaves nothing."""

import asyncio
import shutil
import subprocess
import sys
from asyncio.subprocess import Process
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from e2b_double import DOMAIN, E2bDouble
from e2b_machine import Template
from project_files import Contents
from sandbox_contract import APP, Folder, until

from forge_lsp.actions.late import Late
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.app import open_engine
from forge_lsp.errors import NotFound, SandboxFailed, SandboxGone, WorkspaceRefused
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.processes import this_process
from forge_lsp.sandbox.e2b.managers import registry_url
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
        "forge-lsp-process": this_process(),
        "forge-lsp-kind": "app",
    }
    registry = urlsplit(registry_url(SandboxSettings())).hostname
    assert body["network"] == {"allowOut": [registry], "denyOut": ["0.0.0.0/0"]}
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
        assert {each.process for each in left} == {this_process()}
        again = await second.take_up(made[0].id, print)
        assert again is await second.take_up(made[0].id, print)
        assert again.url == made[0].url
        assert await again.read(APP) == b"from before"
        paused = await second.take_up(made[1].id, print)
        assert await paused.read(APP) == b"export default 1;\n"
        with pytest.raises(NotFound):
            await second.take_up("iunknown", print)
    finally:
        await second.close()
    assert set(double.sandboxes) == {made[2].id}
    await first.close()
    assert double.sandboxes == {}


PROJECT = "file:///home/me/shop"
CRASH = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from forge_lsp.settings import Places, SandboxSettings, Secret, Settings
from forge_lsp.sandbox.e2b.provider import E2bProvider
from project_files import Contents

async def main():
    settings = SandboxSettings(
        provider="e2b", e2b_api_key=Secret({key!r}), e2b_domain={domain!r},
        e2b_preview_url="http://{{port}}-{{id}}.{{domain}}/", e2b_template="bare",
    )
    provider = E2bProvider(Settings(sandbox=settings), Places(*map(Path, {places!r})))
    sandbox = await provider.create(print, Contents({files!r}), {project!r})
    print("made", sandbox.id, flush=True)
    {then}

asyncio.run(main())
"""
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
WHOLE = {"package.json": b'{"name": "shop"}', "index.html": b"<p>"}
MOST_REQUESTS = 15
LIVE_ON = "sys.stdin.read()"


async def another_process(double: E2bDouble, places: Places, then: str) -> Process:
    """One that makes a sandbox for the project, says its id, and then does `then`."""
    code = CRASH.format(
        path=[str(Path(__file__).parents[3]), str(Path(__file__).parents[1])],
        key=double.key,
        domain=DOMAIN,
        places=[str(places.config), str(places.state), str(places.cache)],
        files={**WHOLE, "a.txt": b"a", "b.txt": b"b"},
        project=PROJECT,
        then=then,
    )
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)


async def id_said(process: Process) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"made "):
            return line.split()[1].decode()
    raise AssertionError("no sandbox was made")


async def test_the_sandbox_of_a_process_that_crashed_is_taken_up_and_holds_the_workspace(
    provider: E2bProvider, double: E2bDouble, places: Places
) -> None:
    process = await another_process(double, places, DIE)
    made = await id_said(process)
    assert await process.wait() == -9
    assert set(double.sandboxes) == {made}

    async def get() -> SandboxProvider:
        return provider

    sandboxes = Sandboxes(Late(get))
    workspace = Contents({**WHOLE, "a.txt": b"changed", "c.txt": b"c"})
    home = double.sandboxes[made].machine.home
    untouched = (home / "app/index.html").stat().st_ino
    double.faults.asked.clear()
    sandbox = await sandboxes.ensure("owner", PROJECT, workspace, print)
    assert sandbox.id == made
    assert len(double.faults.asked) < MOST_REQUESTS, double.faults.asked
    assert (home / "app/a.txt").read_bytes() == b"changed"
    assert (home / "app/c.txt").read_bytes() == b"c"
    assert not (home / "app/b.txt").exists()
    assert (home / "app/index.html").stat().st_ino == untouched
    assert set(double.sandboxes) == {made}
    await sandboxes.close()
    assert double.sandboxes == {}
    assert list((places.state / "e2b-claims").iterdir()) == []


async def test_a_sandbox_whose_maker_lives_is_left_to_it(
    provider: E2bProvider, double: E2bDouble, places: Places
) -> None:
    process = await another_process(double, places, LIVE_ON)
    try:
        made = await id_said(process)
        assert await provider.reconnect(PROJECT, print) is None
    finally:
        process.kill()
        await process.wait()
    assert await provider.reconnect("file:///home/me/blog", print) is None
    taken = await provider.reconnect(PROJECT, print)
    assert taken is not None
    assert taken.id == made


async def test_of_two_processes_one_takes_up_what_was_left(
    provider: E2bProvider, e2b_settings: SandboxSettings, double: E2bDouble, places: Places
) -> None:
    process = await another_process(double, places, DIE)
    made = await id_said(process)
    await process.wait()
    other = E2bProvider(Settings(sandbox=e2b_settings), places)
    try:
        both = await asyncio.gather(
            provider.reconnect(PROJECT, print), other.reconnect(PROJECT, print)
        )
        (taken,) = [each for each in both if each]
        assert taken.id == made
    finally:
        await other.close()


async def test_a_sandbox_that_ended_before_it_was_taken_up_is_none(
    provider: E2bProvider, double: E2bDouble, places: Places
) -> None:
    process = await another_process(double, places, DIE)
    await id_said(process)
    await process.wait()
    double.fault(r"POST /v2/sandboxes/\w+/connect", status=404)
    assert await provider.reconnect(PROJECT, print) is None


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
            await provider.take_up(double.one().id, print)
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


async def test_somebody_elses_sandboxes_are_not_seen(
    provider: E2bProvider, e2b_settings: SandboxSettings, tmp_path: Path, double: E2bDouble
) -> None:
    mine = await provider.create(print)
    elsewhere = Places(tmp_path / "o/config", tmp_path / "o/state", tmp_path / "o/cache")
    other = E2bProvider(Settings(sandbox=e2b_settings), elsewhere)
    try:
        assert await other.left() == []
        with pytest.raises(NotFound, match="of yours"):
            await other.take_up(mine.id, print)
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
