"""Starting bubblewrap, up to the moment before the payload runs."""

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, closing
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.network import Network
from forge_lsp.sandbox.isolation.process import Child, Process

_HOSTS = b"127.0.0.1 localhost\n"
"""Without a file of hosts, many dev servers find no `localhost` to listen on."""
_OUTPUT_BYTES = 64 * 1024
_REASON_BYTES = 4096
_LAST_WORDS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Launched:
    """A sandbox that is set up and limited, and whose payload waits for `release`."""

    bubblewrap: Child
    init: Process
    """The first process in the sandbox; when it ends, the kernel ends all others."""
    network: Network
    output: asyncio.StreamReader
    output_transport: asyncio.ReadTransport
    filter_pipe: FileIO

    def release(self, program: bytes) -> None:
        """Let the payload run, under this seccomp program.

        bubblewrap reads the program last of all, and waits for it. Should this server die
        before, it reads an empty one, which the kernel refuses, and the payload never runs.
        (With `--block-fd`, which an end of file releases too, it would.) Raises `SandboxFailed`
        where bubblewrap is gone.
        """
        try:
            with self.filter_pipe:
                self.filter_pipe.write(program)
        except BrokenPipeError as error:
            raise SandboxFailed("The sandbox ended while it was being set up.") from error

    async def end(self) -> None:
        """Kill all of it and wait until it is gone."""
        self.init.kill()
        self.bubblewrap.kill()
        await self.init.ended()
        await self.bubblewrap.ended()
        await self.network.close()
        self.output_transport.close()
        self.filter_pipe.close()


async def launch(
    bubblewrap: Path,
    options: Sequence[str],
    payload: Sequence[str],
    *,
    identity: Identity,
    limits: Mapping[int, int],
) -> Launched:
    """Set up a sandbox as `identity`; raises `SandboxFailed`, in bubblewrap's words if it can.

    The sandbox dies with the calling thread. `limits` are those of `setrlimit`, by resource.
    """
    async with AsyncExitStack() as undo:
        with ExitStack() as theirs:
            info, info_end = _pipe(theirs, theirs)
            output, output_end = _pipe(undo, theirs)
            filter_end, filter_pipe = _pipe(theirs, undo)
            hosts = theirs.enter_context(_file_of("hosts", _HOSTS))
            told = (
                *("--info-fd", str(info_end.fileno()), "--seccomp", str(filter_end.fileno())),
                # Before anything is made read-only.
                *("--perms", "0644", "--ro-bind-data", str(hosts.fileno()), "/etc/hosts"),
            )
            arguments = theirs.enter_context(_arguments_file([*told, *options]))
            try:
                network = Network.start(identity, info.fileno(), limits)
                undo.push_async_callback(network.close)
                child = _start(
                    [str(bubblewrap), "--args", str(arguments.fileno()), "--", *payload],
                    identity,
                    output=output_end.fileno(),
                    passed=[each.fileno() for each in (info_end, filter_end, hosts, arguments)],
                )
            except OSError as error:
                raise SandboxFailed(f"bubblewrap can't be started: {error}.") from error
        undo.push_async_callback(child.ended)
        undo.callback(child.kill)
        # The broker goes first: until `entered` it alone knows of the init process, which
        # bubblewrap, if killed, could leave behind.
        undo.push_async_callback(network.close)
        reader, transport = await _stream(output)
        undo.enter_context(closing(transport))
        init = await _init_process(child, network, reader)
        undo.pop_all()
    return Launched(child, init, network, reader, transport, filter_pipe)


def _start(argv: Sequence[str], identity: Identity, *, output: int, passed: Sequence[int]) -> Child:
    """Its environment is empty: a sandbox can read that of its init process."""
    return Child(
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={},
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
            **identity.spawn_arguments,
        )
    )


async def _init_process(
    bubblewrap: Child, network: Network, output: asyncio.StreamReader
) -> Process:
    try:
        return Process(await network.entered())
    except OSError as error:
        reason = ""
        if await bubblewrap.ended(within_s=_LAST_WORDS_TIMEOUT_S):
            reason = (await output.read(_REASON_BYTES)).decode(errors="replace").strip()
        raise SandboxFailed(f"The sandbox can't be set up: {reason or error}.") from error


def _pipe(
    reads: ExitStack | AsyncExitStack, writes: ExitStack | AsyncExitStack
) -> tuple[FileIO, FileIO]:
    """The two ends of a pipe, each to be closed by its stack."""
    read, write = os.pipe()
    return reads.enter_context(FileIO(read, "r")), writes.enter_context(FileIO(write, "w"))


def _arguments_file(arguments: Sequence[str]) -> FileIO:
    """Arguments as a file: a sandbox can read the command line of its init process."""
    return _file_of("arguments", b"".join(os.fsencode(each) + b"\0" for each in arguments))


def _file_of(name: str, content: bytes) -> FileIO:
    """A file in memory, to be read from its start."""
    file = FileIO(os.memfd_create(name, os.MFD_CLOEXEC), "r+")
    file.write(content)
    file.seek(0)
    return file


async def _stream(pipe: FileIO) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=_OUTPUT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader, transport
