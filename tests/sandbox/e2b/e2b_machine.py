"""A virtual machine of the double: a folder, and real processes that run in it."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PIECE_BYTES = 1 << 15
DRAIN_S = 1.0


@dataclass
class Template:
    """What machines are made from."""

    home: Path
    start_command: str


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def copy_tree(source: Path, target: Path) -> None:
    copying = await asyncio.create_subprocess_exec(
        "cp", "-a", "--reflink=auto", str(source), str(target)
    )
    assert await copying.wait() == 0


@dataclass
class Program:
    config: Mapping[str, object]
    process: asyncio.subprocess.Process
    listeners: list[asyncio.Queue[tuple[str, bytes] | None]] = field(default_factory=list)
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    watching: asyncio.Task[None] | None = None

    def listen(self) -> "asyncio.Queue[tuple[str, bytes] | None]":
        queue: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self.listeners.append(queue)
        return queue

    async def pump(self, name: str, pipe: asyncio.StreamReader) -> None:
        while piece := await pipe.read(PIECE_BYTES):
            for queue in self.listeners:
                queue.put_nowait((name, piece))


class Machine:
    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.port = free_port()
        """Where its port 5173 really is: all machines here share one network."""
        self.programs: dict[int, Program] = {}
        self.has_ended = False
        self._groups: list[int] = []
        self._adopted: list[asyncio.subprocess.Process] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def boot(self, template: Template) -> None:
        self.home.parent.mkdir(parents=True)
        await copy_tree(template.home, self.home)
        if template.start_command:
            await self.start("/bin/bash", ["-l", "-c", template.start_command])

    async def start(
        self,
        command: str,
        arguments: Sequence[str],
        *,
        cwd: str = ".",
        more: dict[str, str] | None = None,
        timeout_s: float = 0,
    ) -> Program:
        """As envd does: a timeout and a signal reach the process itself, not its children."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "USER": "user",
            "LANG": "C.UTF-8",
            "FORGE_DEV_SERVER_HOST": "127.0.0.1",
            "FORGE_DEV_SERVER_PORT": str(self.port),
            **(more or {}),
        }
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            cwd=self.home / cwd,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        config = {"cmd": command, "args": list(arguments), "envs": more or {}, "cwd": cwd}
        program = Program(config, process)
        self.programs[process.pid] = program
        self._groups.append(process.pid)
        program.pumps = [
            self._do(program.pump("stdout", process.stdout)),
            self._do(program.pump("stderr", process.stderr)),
        ]
        if timeout_s:
            timer = asyncio.get_running_loop().call_later(timeout_s, process.kill)
            program.watching = self._do(self._watch(program, timer))
        else:
            program.watching = self._do(self._watch(program, None))
        return program

    def adopt(self, process: asyncio.subprocess.Process) -> None:
        """One that somebody else has started is part of the machine too."""
        self._groups.append(process.pid)
        self._adopted.append(process)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def end(self) -> None:
        self.has_ended = True
        self._signal(signal.SIGKILL)
        mine = [each.process for each in self.programs.values()]
        await asyncio.gather(*(each.wait() for each in (*mine, *self._adopted)))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self.home.parent, ignore_errors=True)

    def _signal(self, number: int) -> None:
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, number)

    async def _watch(self, program: Program, timer: asyncio.TimerHandle | None) -> None:
        await program.process.wait()
        if timer:
            timer.cancel()
        # A child that lives on keeps the pipes open.
        await asyncio.wait(program.pumps, timeout=DRAIN_S)
        del self.programs[program.process.pid]
        for queue in program.listeners:
            queue.put_nowait(None)

    def _do(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
