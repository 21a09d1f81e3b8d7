import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from isolation_harness import (
    INSIDE_PYTHON,
    ROOMY,
    Spawn,
    alive_with,
    any_alive,
    children_of,
    is_alive,
    open_descriptors,
    own_children,
    until,
)

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.isolation.arguments import sandbox_arguments
from forge_lsp.sandbox.isolation.confinement import Confined, Confinement, Limits
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.launch import launch
from forge_lsp.sandbox.isolation.limits import resource_limits

pytestmark = pytest.mark.sandbox

SERVER = """
    const http = require("http");
    http.createServer((_, answer) => answer.end("hello"))
        .listen(5173, "127.0.0.1", () => console.log("up"));
"""


async def get(confined: Confined, port: int) -> bytes:
    connection = await confined.connect(port)
    with connection:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := await loop.sock_recv(connection, 4096):
            answer += part
    return answer


async def test_a_program_runs_in_the_app_folder_and_its_exit_code_comes_back(spawn: Spawn) -> None:
    confined = await spawn(["sh", "-c", "pwd; echo oops >&2; exit 7"])
    assert await confined.output.read() == b"/app\noops\n"
    assert await confined.wait() == 7
    assert not confined.is_running()
    assert confined.ended_because is None


async def test_a_sandbox_that_ended_before_its_payload_ran_is_refused(
    confinement: Confinement, directory: Path
) -> None:
    tools = await confinement.tools()
    identity = Identity.choose()
    options = sandbox_arguments(
        directory=directory, node=tools.node, environment={}, limits=ROOMY, toolbox=None
    )
    limits = resource_limits(ROOMY, identity.uid)
    launched = await launch(tools.bubblewrap, options, ["true"], identity=identity, limits=limits)
    launched.init.kill()
    await launched.bubblewrap.ended()
    with pytest.raises(SandboxFailed, match="while it was being set up"):
        launched.release(tools.filter_program)
    await launched.end()


async def test_a_payload_that_dies_of_a_signal_gives_128_and_its_number(spawn: Spawn) -> None:
    confined = await spawn(["sh", "-c", "kill -TERM $$"])
    assert await confined.wait() == 128 + signal.SIGTERM


async def test_a_program_that_is_not_there_is_told_in_the_output(spawn: Spawn) -> None:
    confined = await spawn(["no-such-program"])
    assert b"no-such-program" in await confined.output.read()
    assert await confined.wait() == 1


async def test_files_that_it_writes_are_its_owners(
    spawn: Spawn, directory: Path, confinement: Confinement
) -> None:
    confined = await spawn(["sh", "-c", "echo hello > made.txt"])
    await confined.wait()
    made = (directory / "made.txt").stat()
    assert (made.st_uid, made.st_gid) == confinement.owner()
    assert os.geteuid() != 0 or made.st_uid != 0


async def test_the_environment_is_what_was_given_and_nothing_of_ours(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGE_TEST_SECRET", "hunter2")
    confined = await spawn(["env"], environment={"NODE_ENV": "development"})
    output = (await confined.output.read()).decode()
    assert "NODE_ENV=development\n" in output
    assert "HOME=/home/app\n" in output
    assert "hunter2" not in output


async def test_a_server_inside_is_reached_from_outside(spawn: Spawn) -> None:
    confined = await spawn(["node", "-e", SERVER])
    assert await confined.output.readline() == b"up\n"
    assert (await get(confined, 5173)).endswith(b"hello")


async def test_a_hundred_connections_at_once_all_get_through(spawn: Spawn) -> None:
    confined = await spawn(["node", "-e", SERVER])
    await confined.output.readline()
    answers = await asyncio.gather(*(get(confined, 5173) for _ in range(100)))
    assert all(answer.endswith(b"hello") for answer in answers)


async def test_a_port_without_a_listener_is_refused(spawn: Spawn) -> None:
    confined = await spawn(["sleep", "60"])
    with pytest.raises(ConnectionRefusedError):
        await confined.connect(5173)


async def test_a_connection_that_hangs_holds_up_no_other(spawn: Spawn) -> None:
    program = textwrap.dedent(
        """
        import socket, time
        full = socket.create_server(("127.0.0.1", 9000), backlog=0)
        kept = socket.create_connection(("127.0.0.1", 9000))
        fine = socket.create_server(("127.0.0.1", 9001))
        print("up", flush=True)
        time.sleep(60)
        """
    )
    confined = await spawn([INSIDE_PYTHON, "-c", program])
    assert await confined.output.readline() == b"up\n"
    hanging = [asyncio.create_task(confined.connect(9000)) for _ in range(8)]
    try:
        async with asyncio.timeout(2):
            (await confined.connect(9001)).close()
        assert not all(task.done() for task in hanging)
    finally:
        for task in hanging:
            task.cancel()
        for result in await asyncio.gather(*hanging, return_exceptions=True):
            if isinstance(result, socket.socket):
                result.close()


async def test_a_port_that_we_listen_on_is_there_before_the_payload(spawn: Spawn) -> None:
    program = """
        const socket = require("net").connect(4873, "127.0.0.1", () => socket.write("ping"));
        socket.on("data", (data) => { console.log(data.toString()); process.exit(0); });
        socket.on("error", (error) => { console.log(error.code); process.exit(1); });
    """
    confined = await spawn(["node", "-e", program], listen=[4873])
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        connection, address = await loop.sock_accept(confined.listeners[4873])
        with connection:
            assert address[0] == "127.0.0.1"
            assert await loop.sock_recv(connection, 16) == b"ping"
            await loop.sock_sendall(connection, b"pong")
            assert await confined.output.read() == b"pong\n"
    assert await confined.wait() == 0


async def test_listening_leaves_the_hosts_own_port_free(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        confined = await spawn(["sleep", "60"], listen=[port])
        assert confined.listeners[port].getsockname() == ("127.0.0.1", port)


async def test_killing_ends_daemons_too_and_may_be_done_twice(spawn: Spawn) -> None:
    confined = await spawn(
        ["sh", "-c", "setsid sh -c 'sleep 600 & sleep 600' & echo up; exec sleep 600"]
    )
    await confined.output.readline()
    pids = children_of(confined.pid)
    assert await until(lambda: len(children_of(confined.pid)) >= 5, 5), children_of(confined.pid)
    pids = children_of(confined.pid)
    await asyncio.gather(confined.kill(), confined.kill())
    assert not any_alive([confined.pid, *pids])
    await confined.kill()
    assert await confined.wait() == 128 + signal.SIGKILL


async def test_what_a_payload_leaves_behind_ends_with_it(spawn: Spawn, directory: Path) -> None:
    confined = await spawn(
        ["sh", "-c", "setsid sleep 600 & echo up; until [ -e /app/go ]; do sleep 0.01; done"]
    )
    await confined.output.readline()
    assert await until(lambda: len(children_of(confined.pid)) >= 3, 5)
    left = children_of(confined.pid)
    (directory / "go").touch()
    async with asyncio.timeout(5):
        assert await confined.wait() == 0
    assert await until(lambda: not any_alive(left), 5)


async def test_output_that_nobody_reads_keeps_nothing_from_being_killed(spawn: Spawn) -> None:
    confined = await spawn(["sh", "-c", "yes"])
    async with asyncio.timeout(5):
        await confined.kill()
    assert not confined.is_running()


async def test_connecting_to_what_has_ended_is_an_error(spawn: Spawn) -> None:
    confined = await spawn(["true"])
    await confined.wait()
    await confined.kill()
    with pytest.raises(OSError):  # noqa: PT011 - Any kind of it says so.
        await confined.connect(5173)


async def test_a_folder_that_is_not_there_is_explained_and_leaves_nothing(
    confinement: Confinement, spawn: Spawn
) -> None:
    await (await spawn(["true"])).wait()
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(SandboxFailed, match="/nowhere"):
            await confinement.spawn(
                ["true"],
                directory=Path("/nowhere"),
                environment={},
                limits=Limits(512, 64, 64),
            )
    assert await until(lambda: open_descriptors() <= before, 5)


async def test_sandboxes_leave_no_descriptors_behind(
    confinement: Confinement, spawn: Spawn
) -> None:
    await (await spawn(["true"])).kill()
    before = open_descriptors()
    for _ in range(10):
        confined = await spawn(["echo", "hello"])
        await confined.output.read()
        await confined.wait()
        await confined.kill()
    assert await until(lambda: open_descriptors() <= before, 5)


@pytest.mark.parametrize("after_s", [step / 500 for step in range(20)])
async def test_a_spawn_that_is_cancelled_leaves_nothing(
    confinement: Confinement, directory: Path, spawn: Spawn, after_s: float
) -> None:
    await (await spawn(["true"])).kill()
    unique = f"600.{secrets.randbits(60)}"
    task = asyncio.create_task(
        confinement.spawn(
            ["sleep", unique], directory=directory, environment={}, limits=Limits(512, 64, 64)
        )
    )
    await asyncio.sleep(after_s)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await task).kill()
    # What is killed takes a moment to be gone.
    assert await until(lambda: not alive_with(unique), 5), alive_with(unique)
    assert await until(lambda: not own_children(), 5), own_children()


SERVER_TO_KILL = """
import asyncio, sys
from pathlib import Path
from forge_lsp.sandbox.isolation.arguments import sandbox_arguments
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits

async def main():
    confined = await Confinement().spawn(
        ["sh", "-c", "setsid sleep 600 & echo up; exec sleep 600"],
        directory=Path(sys.argv[1]), environment={}, limits=Limits(512, 64, 64),
    )
    await confined.output.readline()
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

SERVER_THAT_HOLDS = """
import asyncio, sys
from pathlib import Path
from forge_lsp.sandbox.isolation.arguments import sandbox_arguments
from forge_lsp.sandbox.isolation.arguments import sandbox_arguments
from forge_lsp.sandbox.isolation.confinement import Confinement, Limits
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.launch import launch

async def main():
    tools = await Confinement().tools()
    options = sandbox_arguments(
        directory=Path(sys.argv[1]),
        node=tools.node,
        environment={},
        limits=Limits(512, 64, 64),
        toolbox=None,
    )
    payload = ["sh", "-c", "echo ran > /app/ran"]
    launched = await launch(
        tools.bubblewrap, options, payload, identity=Identity.choose(), limits={}
    )
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start_server(program: str, directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, os.fspath(directory)], stdout=subprocess.PIPE
    )


@pytest.mark.parametrize("program", [SERVER_TO_KILL, SERVER_THAT_HOLDS], ids=["runs", "held"])
async def test_nothing_outlives_a_server_that_is_killed(
    spawn: Spawn, directory: Path, program: str
) -> None:
    await (await spawn(["true"])).kill()
    server = start_server(program, directory)
    assert server.stdout
    with server.stdout:
        try:
            assert server.stdout.readline() == b"up\n"
            pids = children_of(server.pid)
            assert len(pids) >= 2
        finally:
            server.kill()
            server.wait()
    assert await until(lambda: not any_alive(pids), 2), list(filter(is_alive, pids))
    assert not (directory / "ran").exists()


async def test_the_report_names_what_confines(confinement: Confinement, spawn: Spawn) -> None:
    report = await confinement.report()
    assert report.tier == "full"
    assert "bwrap" in report.detail
    assert await confinement.report() == report
