"""Machines that can't confine say so, with a reason and a remedy."""

import asyncio
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from isolation_harness import alive_with, until

from forge_lsp.errors import IsolationUnavailable
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.isolation.diagnosis import explain
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.programs import find_bubblewrap, find_node

REPOSITORY = Path(__file__).parents[3]


def script(place: Path, body: str) -> Path:
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)
    return place


@pytest.mark.sandbox
async def test_blocked_user_namespaces_are_reported(tmp_path: Path) -> None:
    """bubblewrap is run inside one that has shut user namespaces for good."""
    identity = Identity.choose()
    real = find_bubblewrap(identity)
    place = _open_folder(tmp_path, identity)
    blocked = script(
        place / "bwrap",
        f'exec {real} --unshare-user --disable-userns --dev-bind / / -- {real} "$@"',
    )
    report = await Confinement(bubblewrap=blocked).report()
    assert report.tier == "none"
    assert report.detail.startswith("User namespaces are blocked here.")
    assert report.remedy


def _open_folder(tmp_path: Path, identity: Identity) -> Path:
    """`tmp_path`, with the folders above it opened to the sandboxes' user."""
    for folder in (tmp_path, *tmp_path.parents):
        if not identity.reaches(folder / "any") and folder.owner() == "root":
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


async def test_a_sandbox_is_refused_where_isolation_is_not_to_be_had(tmp_path: Path) -> None:
    confinement = Confinement(bubblewrap=Path("/not-there/bwrap"))
    with pytest.raises(IsolationUnavailable, match="No such file"):
        await confinement.spawn(
            ["true"], directory=tmp_path, environment={}, limits=Limits(512, 64, 64)
        )


async def test_a_failure_is_remembered(tmp_path: Path) -> None:
    place = tmp_path / "bwrap"
    confinement = Confinement(bubblewrap=place)
    first = await confinement.report()
    script(place, "exit 0")
    assert await confinement.report() == first


async def test_what_a_killed_bubblewrap_leaves_behind_ends_and_holds_nobody_up(
    tmp_path: Path,
) -> None:
    """It is killed before it has said which process its sandbox begins with."""
    identity = Identity.choose()
    seconds = f"{random.uniform(10_000, 20_000):.6f}"
    killed = script(_open_folder(tmp_path, identity) / "bwrap", f"sleep {seconds} &\nkill -9 $$")
    async with asyncio.timeout(20):
        report = await Confinement(bubblewrap=killed).report()
    assert report.tier == "none"
    assert "bubblewrap has ended" in report.detail
    assert await until(lambda: not alive_with(seconds), within_s=10)


async def test_other_systems_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    report = await Confinement().report()
    assert (report.tier, "Linux" in report.detail) == ("none", True)


def test_a_machine_without_node_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IsolationUnavailable, match="Node") as raised:
        find_node(Identity.choose())
    assert "Install Node" in raised.value.remedy


@pytest.mark.parametrize("version", ["20.18.3", "18.20.0", "9.0.0"])
def test_a_node_that_is_too_old_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    script(tmp_path / "node", f"echo /usr/bin/node; echo {version}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(IsolationUnavailable, match=version):
        find_node(Identity.choose())


@pytest.mark.parametrize("version", ["20.19.0", "22.1.0", "25.0.0-nightly20251001"])
def test_a_newer_node_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    script(tmp_path / "node", f"echo /usr/bin/node; echo {version}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find_node(Identity.choose()).version >= (20, 19)


@pytest.mark.parametrize("body", ["exit 3", "echo nonsense", "echo /x; echo not.a.number"])
def test_a_node_that_does_not_work_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    script(tmp_path / "node", body)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(IsolationUnavailable, match="doesn't work"):
        find_node(Identity.choose())


def test_a_node_in_a_folder_of_its_own_brings_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = _open_folder(tmp_path, Identity.choose()) / "node-v22"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib/node_modules/npm").mkdir(parents=True)
    node = script(prefix / "bin/node", 'echo "$0"; echo 22.1.0')
    monkeypatch.setenv("PATH", f"{node.parent}:{os.environ['PATH']}")
    assert find_node(Identity.choose()).visible == prefix


def test_a_node_in_a_home_folder_shows_nothing_else_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_open_folder(tmp_path, Identity.choose()) / "bin").mkdir()
    node = script(tmp_path / "bin/node", 'echo "$0"; echo 22.1.0')
    monkeypatch.setenv("PATH", f"{node.parent}:{os.environ['PATH']}")
    assert find_node(Identity.choose()).visible == node


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("programs.find_bubblewrap(identity.Identity.choose())", "bubblewrap"),
        ("syscalls.compile_filter()", "libseccomp"),
    ],
)
def test_a_missing_tool_is_named_with_how_to_get_it(call: str, missing: str) -> None:
    """In an interpreter that sees neither the bundled bwrap nor pyseccomp."""
    program = f"""
        import sys
        sys.path.insert(0, {str(REPOSITORY)!r})
        from forge_lsp.errors import IsolationUnavailable
        from forge_lsp.sandbox.isolation import identity, programs, syscalls
        try:
            {call}
        except IsolationUnavailable as error:
            print(error.message, "|", error.remedy)
    """
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", textwrap.dedent(program)],
        env={"PATH": "/nowhere"},
        capture_output=True,
        check=True,
        text=True,
    )
    message, _, remedy = answer.stdout.partition("|")
    assert missing in message
    assert "nstall" in remedy


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("kernel/unprivileged_userns_clone", "0", "ordinary users"),
        ("user/max_user_namespaces", "0", "no user namespaces"),
    ],
)
@pytest.mark.parametrize(
    "failure",
    [
        "bwrap: setting up uid map: Permission denied",
        "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
        "bwrap: No permissions to create a new namespace, likely because ...",
        "bwrap: Creating new namespace failed: nesting depth or ... exceeded (ENOSPC)",
    ],
)
def test_the_switch_that_blocks_user_namespaces_is_named(
    tmp_path: Path, failure: str, setting: str, value: str, expected: str
) -> None:
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(f"{value}\n")
    error = explain(failure, tmp_path)
    assert expected in error.message
    assert failure in error.message
    assert f"sysctl -w {setting.replace('/', '.')}=" in error.remedy


def test_an_open_switch_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user/max_user_namespaces").write_text("96343\n")
    error = explain("bwrap: setting up uid map: Permission denied", tmp_path)
    assert error.message.startswith("User namespaces are blocked here.")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "container"),
        ("bwrap: Unknown option --disable-userns", "too old"),
        ("something new", "something new"),
    ],
)
def test_other_failures_are_told_as_they_are(failure: str, expected: str) -> None:
    error = explain(failure)
    assert expected in error.message
    assert error.remedy
