"""Processes that begin with everything imported.

Each is forked off one process that has done the imports, which would be most of what hundreds of
servers in tests do. How a server starts by itself is `test_lsp_start`'s.
"""

import asyncio
import functools
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "__main__",
        "aiohttp.web",
        "alembic.command",
        "anthropic.resources",
        "keyring",
        "sqlalchemy.dialects.sqlite",
        "forge_lsp.app",
        "forge_lsp.lsp.server",
    ]
)


class Process:
    """What `asyncio.subprocess.Process` is to a program that was started."""

    def __init__(
        self,
        process: BaseProcess,
        stdin: asyncio.WriteTransport,
        stdout: asyncio.StreamReader,
    ) -> None:
        assert process.pid
        self.pid = process.pid
        self.stdin = stdin
        self.stdout = stdout
        self._process = process
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(process.sentinel, self._end)

    @property
    def returncode(self) -> int | None:
        """None while it runs; a signal's number below zero."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end; gives its return code."""
        return await asyncio.shield(self._ended)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self._ended.set_result(self._process.exitcode)


def is_part(pid: int) -> bool:
    """Whether a process is the one that the others are forked off, or what keeps its books: the
    tests' own, which ends with them."""
    try:
        return b"from multiprocessing." in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@functools.cache
def _begin() -> None:
    """Start the process that the others are forked off; `sys.path` isn't handed to it."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


async def start(
    program: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    limit: int = 2**20,
) -> Process:
    """Start the Python program of a file; the stream of its output takes lines of `limit` bytes."""
    loop = asyncio.get_running_loop()
    its_stdin, our_stdin = _context.Pipe(duplex=False)
    our_stdout, its_stdout = _context.Pipe(duplex=False)
    stderr = Connection(os.dup(2), readable=False)
    process = _context.Process(
        target=_run,
        args=(
            (str(program), *arguments),
            dict(os.environ if environment is None else environment),
            (its_stdin, its_stdout, stderr),
        ),
        daemon=True,
    )
    _begin()
    await asyncio.to_thread(process.start)
    for given in (its_stdin, its_stdout, stderr):
        given.close()
    reader = asyncio.StreamReader(limit)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), our_stdout)
    stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, our_stdin)
    return Process(process, stdin, reader)


def _run(
    command: tuple[str, ...],
    environment: dict[str, str],
    streams: tuple[Connection, Connection, Connection],
) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(command)
    runpy.run_path(command[0], run_name="__main__")
