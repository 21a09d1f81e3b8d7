"""Confinement: running programs that nobody trusts on the user's own machine."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from forge_lsp.errors import IsolationUnavailable, SandboxFailed
from forge_lsp.ports.sandbox import IsolationReport
from forge_lsp.sandbox.isolation.arguments import TOOLS, sandbox_arguments
from forge_lsp.sandbox.isolation.confined import Confined, Watch
from forge_lsp.sandbox.isolation.diagnosis import explain
from forge_lsp.sandbox.isolation.disk import DiskWatch
from forge_lsp.sandbox.isolation.identity import Identity, choose_data_root
from forge_lsp.sandbox.isolation.launch import Launched, launch
from forge_lsp.sandbox.isolation.limits import Limits, resource_limits
from forge_lsp.sandbox.isolation.memory import memory_excess
from forge_lsp.sandbox.isolation.network import Network
from forge_lsp.sandbox.isolation.programs import Node, find_bubblewrap, find_node
from forge_lsp.sandbox.isolation.syscalls import compile_filter

__all__ = ["TOOLS", "Confined", "Confinement", "Limits"]

_WATCH_INTERVAL_S = 0.25
_PROBE_TIMEOUT_S = 20.0
_PROBE_LIMITS = Limits(memory_mb=512, disk_mb=64, processes=64)


@dataclass(frozen=True, slots=True)
class Tools:
    """What sandboxes are made with on this machine."""

    bubblewrap: Path
    node: Node
    filter_program: bytes


class Confinement:
    """Makes sandboxes, once it has made sure that this machine can."""

    def __init__(self, *, bubblewrap: Path | None = None) -> None:
        """`bubblewrap` is taken instead of the one that would be found."""
        self._identity = Identity.choose()
        self._bubblewrap = bubblewrap
        self._tools: Tools | IsolationUnavailable | None = None
        self._probing = asyncio.Lock()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="sandbox-watch")

    def owner(self) -> tuple[int, int]:
        """The user and group that a sandbox's folder, and all in it, must belong to."""
        return self._identity.uid, self._identity.gid

    def data_root(self, preferred: Path) -> Path:
        """Where folders of sandboxes can be: `preferred`, unless `owner` can't reach it."""
        return choose_data_root(preferred, self._identity)

    async def report(self) -> IsolationReport:
        """How well this machine confines; it is tried out once and then remembered."""
        try:
            tools = await self.tools()
        except IsolationUnavailable as reason:
            return IsolationReport("none", reason.message, reason.remedy)
        node = ".".join(map(str, tools.node.version))
        return IsolationReport("full", f"bubblewrap ({tools.bubblewrap}), Node {node}")

    async def tools(self) -> Tools:
        """What was found and tried out; raises `IsolationUnavailable` where something lacks."""
        async with self._probing:
            if self._tools is None:
                try:
                    self._tools = await self._prove()
                except IsolationUnavailable as reason:
                    self._tools = reason
        if isinstance(self._tools, IsolationUnavailable):
            raise IsolationUnavailable(self._tools.message, remedy=self._tools.remedy)
        return self._tools

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        limits: Limits,
        listen: Sequence[int] = (),
        toolbox: Path | None = None,
    ) -> Confined:
        """Run `argv` in a sandbox of its own that sees `directory` as /app, and `toolbox`, which
        it can't write, at `TOOLS`.

        `listen` names TCP ports of the sandbox's own 127.0.0.1 on which we listen, from before
        `argv` runs: see `Confined.listeners`. The sandbox dies with the calling thread. Raises
        `IsolationUnavailable`, or `SandboxFailed` where this one sandbox can't be set up.
        """
        tools = await self.tools()
        return await self._spawn(
            tools,
            argv,
            directory=directory,
            environment=environment,
            limits=limits,
            listen=listen,
            toolbox=toolbox,
        )

    async def _prove(self) -> Tools:
        if sys.platform != "linux":
            raise IsolationUnavailable(
                "Sandboxes on this machine need Linux.",
                remedy="Run forge-lsp in a Linux virtual machine, container or WSL 2.",
            )
        tools = await asyncio.to_thread(self._find)
        root = self.data_root(Path(tempfile.gettempdir()))
        with tempfile.TemporaryDirectory(dir=root, prefix="forge-lsp-") as place:
            os.chown(place, *self.owner())
            for argv in (["true"], [str(tools.node.executable), "--version"]):
                await self._try_out(tools, argv, Path(place))
        return tools

    def _find(self) -> Tools:
        return Tools(
            self._bubblewrap or find_bubblewrap(self._identity),
            find_node(self._identity),
            compile_filter(),
        )

    async def _try_out(self, tools: Tools, argv: Sequence[str], directory: Path) -> None:
        try:
            confined = await self._spawn(
                tools, argv, directory=directory, environment={}, limits=_PROBE_LIMITS
            )
        except SandboxFailed as error:
            raise explain(error.message) from error
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                output = await confined.output.read()
                code = await confined.wait()
        except TimeoutError as error:
            raise explain(f"{argv[0]} didn't end within {_PROBE_TIMEOUT_S:.0f} s.") from error
        finally:
            await confined.kill()
        if code:
            raise explain(output.decode(errors="replace").strip() or f"{argv[0]} gave {code}.")

    async def _spawn(
        self,
        tools: Tools,
        argv: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        limits: Limits,
        listen: Sequence[int] = (),
        toolbox: Path | None = None,
    ) -> Confined:
        options = sandbox_arguments(
            directory=directory,
            node=tools.node,
            environment=environment,
            limits=limits,
            toolbox=toolbox,
        )
        launched = await launch(
            tools.bubblewrap,
            options,
            argv,
            identity=self._identity,
            limits=resource_limits(limits, self._identity.uid),
        )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(launched.end)
            listeners = {
                port: undo.enter_context(await _listen(launched.network, port))
                for port in dict.fromkeys(listen)
            }
            launched.release(tools.filter_program)
            undo.pop_all()
        return Confined(
            launched, listeners, self._watches(launched, directory, limits), self._threads
        )

    def _watches(self, launched: Launched, directory: Path, limits: Limits) -> Sequence[Watch]:
        init_pid = launched.init.pid
        memory = partial(memory_excess, init_pid, limits.memory_mb)
        disk = DiskWatch(init_pid, directory, limits.disk_mb)
        return (
            Watch("memory", memory, _WATCH_INTERVAL_S),
            Watch("disk", disk.excess, _WATCH_INTERVAL_S),
        )


async def _listen(network: Network, port: int) -> socket.socket:
    try:
        return await network.listen(port)
    except OSError as error:
        raise SandboxFailed(f"The sandbox's port {port} can't be opened: {error}.") from error
