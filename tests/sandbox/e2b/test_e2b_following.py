"""What the dev server of a cloud sandbox says, and that it ends and comes back."""

import asyncio
import os
import signal

import pytest
from e2b_double import E2bDouble
from e2b_machine import Machine
from sandbox_contract import until
from test_e2b_commands import dev_server_of, running

from forge_lsp.errors import SandboxGone
from forge_lsp.sandbox.e2b import following
from forge_lsp.sandbox.e2b.instance import E2bSandbox

TAIL = "tail -n"


@pytest.fixture
def machine(sandbox: E2bSandbox, double: E2bDouble) -> Machine:
    return double.one().machine


def say(machine: Machine, text: str) -> None:
    with (machine.home / ".forge-lsp/dev-server.log").open("a") as log:
        log.write(text)


async def heard(sandbox: E2bSandbox, text: str) -> None:
    async def is_heard() -> bool:
        return text in [each.text for each in sandbox.logs(limit=10_000)]

    await until(is_heard)


async def test_nothing_is_followed_before_somebody_asks(
    sandbox: E2bSandbox, machine: Machine
) -> None:
    assert running(machine, TAIL) == []
    sandbox.logs()
    await heard(sandbox, "ready")
    sandbox.logs()
    assert len(running(machine, TAIL)) == 1


async def test_a_line_is_told_when_it_is_whole(sandbox: E2bSandbox, machine: Machine) -> None:
    sandbox.logs()
    await heard(sandbox, "ready")
    say(machine, "one \x1b[31mhalf")
    say(machine, "\x1b[0m and the other\n")
    await heard(sandbox, "one half and the other")


async def test_a_flood_is_bounded(sandbox: E2bSandbox, machine: Machine) -> None:
    sandbox.logs()
    await heard(sandbox, "ready")
    say(machine, "x" * 300_000 + "\n" + "y\n" * 30_000 + "end\n")
    await heard(sandbox, "end")
    lines = sandbox.logs(limit=1_000_000)
    assert len(lines) <= 2_000
    assert max(len(each.text) for each in lines) <= 2_000
    assert len(sandbox.logs(limit=3)) == 3


async def test_a_connection_that_breaks_is_made_again_and_the_gap_is_said(
    sandbox: E2bSandbox, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FIRST_DELAY_S", 0.05)
    sandbox.logs()
    await heard(sandbox, "ready")
    (tail,) = running(machine, TAIL)
    os.kill(tail, signal.SIGKILL)

    async def is_there_again() -> bool:
        return bool(running(machine, TAIL)) and running(machine, TAIL) != [tail]

    await until(is_there_again)

    async def hears_again() -> bool:
        say(machine, "still there\n")
        return "still there" in [each.text for each in sandbox.logs()]

    await until(hears_again)
    told = [each.text for each in sandbox.logs()]
    assert told.count("ready") == 1
    assert any("may be missing" in each for each in told)


async def test_a_dev_server_that_dies_and_comes_back_stirs_twice(
    sandbox: E2bSandbox, machine: Machine
) -> None:
    stirring = asyncio.create_task(sandbox.stirred())
    await heard(sandbox, "ready")
    assert not stirring.done()
    os.kill(dev_server_of(machine), signal.SIGKILL)
    async with asyncio.timeout(20):
        await stirring
        await sandbox.stirred()
    assert sandbox.logs()[-1].text == "ready"


async def test_what_stirred_before_the_call_counts(sandbox: E2bSandbox, machine: Machine) -> None:
    sandbox.logs()
    await heard(sandbox, "ready")
    os.kill(dev_server_of(machine), signal.SIGKILL)
    await heard(sandbox, "The dev server ended by itself with code 137.")
    async with asyncio.timeout(5):
        await sandbox.stirred()


async def test_who_waits_for_a_sandbox_that_expires_is_told(
    sandbox: E2bSandbox, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FIRST_DELAY_S", 0.05)
    waiting = [
        asyncio.create_task(sandbox.stirred()),
        asyncio.create_task(sandbox.log_grew(1_000_000)),
    ]
    await heard(sandbox, "ready")
    await double.expire(sandbox.id)
    for each in waiting:
        with pytest.raises(SandboxGone):
            async with asyncio.timeout(10):
                await each
    assert "ready" in [each.text for each in sandbox.logs()]


async def test_following_wakes_no_sandbox_that_is_paused(
    sandbox: E2bSandbox, machine: Machine, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FIRST_DELAY_S", 0.05)
    double.one().body["autoPause"] = True
    double.one().body["autoResume"] = {"enabled": True}
    sandbox.logs()
    await heard(sandbox, "ready")
    (tail,) = running(machine, TAIL)
    await double.expire(sandbox.id)
    os.kill(tail, signal.SIGKILL)
    looked = double.faults.count(r"GET /sandboxes/\w+")

    async def has_looked() -> bool:
        return double.faults.count(r"GET /sandboxes/\w+") > looked

    await until(has_looked)
    assert double.one().state == "paused"
    await sandbox.files()
    assert double.one().state == "running"

    async def follows_again() -> bool:
        return bool(running(machine, TAIL))

    await until(follows_again)


async def test_a_sandbox_that_was_ended_leaves_nobody_listening(
    sandbox: E2bSandbox, machine: Machine
) -> None:
    sandbox.logs()
    await heard(sandbox, "ready")
    await sandbox.kill()
    names = {each.get_name() for each in asyncio.all_tasks()}
    assert "e2b-dev-server-log" not in names
    assert sandbox.logs()
