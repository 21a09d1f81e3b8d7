"""Programs in a cloud sandbox: what is started is ended, whoever gives up."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psutil
import pytest
from e2b_double import E2bDouble
from e2b_machine import Machine
from sandbox_contract import Look, until

from forge_lsp.errors import SandboxFailed, SandboxGone
from forge_lsp.sandbox.e2b.commands import Commands, Recent
from forge_lsp.sandbox.e2b.instance import E2bSandbox

START = r"POST /process\.Process/Start"
FOREVER = "setInterval(() => {}, 1000);\n"


@pytest.fixture
def machine(sandbox: E2bSandbox, double: E2bDouble) -> Machine:
    return double.one().machine


@pytest.fixture
def commands(sandbox: E2bSandbox) -> Commands:
    return sandbox._commands


def running(machine: Machine, word: str) -> list[int]:
    return [pid for pid, each in machine.programs.items() if word in str(each.config["args"])]


def is_there(machine: Machine, word: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool(running(machine, word))

    return look


def processes(machine: Machine, word: str) -> list[int]:
    """Of those that run in the machine's folder, children of programs too."""
    found: list[int] = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if word in " ".join(each.cmdline()) and each.cwd().startswith(str(machine.home)):
                found.append(each.pid)
    return found


async def until_ended(machine: Machine, word: str) -> None:
    async def ended() -> bool:
        return not running(machine, word)

    await until(ended)


def put_type_checker(machine: Machine, code: str) -> None:
    place = machine.home / "app/node_modules/typescript/bin/tsc"
    place.parent.mkdir(parents=True)
    place.write_text(code)
    (machine.home / "app/tsconfig.json").write_text("{}")
    (machine.home / "app/package.json").write_text('{"devDependencies": {"typescript": "*"}}')


async def test_whoever_stops_waiting_ends_the_program(
    sandbox: E2bSandbox, machine: Machine
) -> None:
    put_type_checker(machine, FOREVER)
    looking = asyncio.create_task(sandbox.diagnostics())

    async def runs() -> bool:
        return bool(processes(machine, "tsc"))

    await until(runs)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking

    async def nothing_is_left() -> bool:
        return not processes(machine, "tsc")

    await until(nothing_is_left)
    assert await sandbox.is_alive()


async def test_whoever_gives_up_while_it_starts_ends_it_too(
    commands: Commands, machine: Machine, double: E2bDouble
) -> None:
    double.fault(START, "slow", seconds=0.3)
    before = double.faults.count(START)
    task = asyncio.create_task(commands.run("x", "exec sleep 71", cwd=".", timeout_s=60))

    async def was_asked() -> bool:
        return double.faults.count(START) > before

    await until(was_asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def was_ended() -> bool:
        return double.faults.count(r"POST /process\.Process/SendSignal") > 0

    await until(was_ended)
    await until_ended(machine, "sleep 71")


async def test_a_program_that_takes_too_long_is_ended_and_told(
    commands: Commands, machine: Machine
) -> None:
    with pytest.raises(SandboxFailed, match="sleep did not end within 0 s"):
        await commands.run("x", "exec sleep 72", cwd=".", timeout_s=0.3)
    await until_ended(machine, "sleep 72")


async def test_a_stream_that_breaks_is_begun_anew_and_leaves_no_program(
    commands: Commands, machine: Machine, double: E2bDouble
) -> None:
    double.fault(START, "drop_later", seconds=0.3)
    counted = "echo x >> starts; [ $(wc -l < starts) = 2 ] || exec sleep 73; echo done"
    ended = await commands.run("x", counted, cwd=".", timeout_s=60)
    assert (ended.code, ended.output) == (0, "done\n")
    await until_ended(machine, "sleep 73")


async def test_a_sandbox_that_expires_meanwhile_is_gone(
    sandbox: E2bSandbox, machine: Machine, double: E2bDouble
) -> None:
    put_type_checker(machine, FOREVER)
    looking = asyncio.create_task(sandbox.diagnostics())
    await until(is_there(machine, "tsc"))
    await double.expire(sandbox.id)
    with pytest.raises(SandboxGone, match="ended in the cloud"):
        await looking
    assert not await sandbox.is_alive()


async def test_a_type_checker_that_hangs_is_told_in_the_diagnostics(
    sandbox: E2bSandbox, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_lsp.sandbox.e2b.instance.TYPES_TIMEOUT_S", 0.5)
    put_type_checker(machine, FOREVER)
    report = await sandbox.diagnostics()
    assert [each.label for each in report.checks if not each.ok] == ["types"]
    assert "node did not end within" in report.checks[-1].detail


async def test_output_without_end_is_not_kept(commands: Commands) -> None:
    ended = await commands.run(
        "x", "yes x | head -c 3000000; echo; echo end", cwd=".", timeout_s=60, max_characters=10_000
    )
    assert len(ended.output) <= 10_000
    assert ended.output.endswith("end\n")


def test_recent_keeps_about_the_last_characters() -> None:
    recent = Recent(5)
    for piece in ("abc", "de", "fgh"):
        recent.add(piece)
    assert recent.text == "defgh"


async def test_the_exit_code_and_both_outputs_are_told(commands: Commands) -> None:
    ended = await commands.run("x", "echo out; echo err >&2; exit 7", cwd="app", timeout_s=60)
    assert ended.code == 7
    assert sorted(ended.output.split()) == ["err", "out"]


async def test_a_dev_server_that_dies_is_started_again(
    sandbox: E2bSandbox, machine: Machine, look: Look
) -> None:
    before = dev_server_of(machine)
    os.kill(before, signal.SIGKILL)

    async def answers_again() -> bool:
        return (await look(sandbox, "/"))[0] == 200 and dev_server_of(machine) != before

    await until(answers_again)


async def test_a_dev_server_that_nobody_keeps_is_started_by_a_look(
    sandbox: E2bSandbox, machine: Machine, look: Look
) -> None:
    (keeper,) = running(machine, "dev-server.sh")
    os.killpg(keeper, signal.SIGKILL)
    await until_ended(machine, "dev-server.sh")
    report = await sandbox.diagnostics()
    assert not report.checks[0].ok

    async def answers_again() -> bool:
        return (await look(sandbox, "/"))[0] == 200

    await until(answers_again)
    assert (await sandbox.diagnostics()).checks[0].ok


async def test_a_dev_server_that_dies_again_and_again_is_told_and_can_be_repaired(
    sandbox: E2bSandbox, machine: Machine, look: Look
) -> None:
    program = machine.home / "app/node_modules/vite/bin/vite.js"
    good = program.read_text()
    program.write_text("console.log('broken on purpose'); process.exit(3);\n")
    os.kill(dev_server_of(machine), signal.SIGKILL)
    await until_ended(machine, "dev-server.sh")
    report = await sandbox.diagnostics()
    assert not report.checks[0].ok
    assert "again and again" in report.checks[0].detail
    assert "broken on purpose" in report.output
    assert "with code 3" in report.output
    await until_ended(machine, "dev-server.sh")
    program.write_text(good)
    await sandbox.diagnostics()

    async def answers_again() -> bool:
        return (await look(sandbox, "/"))[0] == 200

    await until(answers_again)


def dev_server_of(machine: Machine) -> int:
    """The process that listens, a child of the one that keeps it running; 0 where there is none."""
    return next(iter(processes(machine, "vite.js --host")), 0)
