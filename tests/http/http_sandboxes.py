"""Sandboxes in memory: a real provider of the port, over a dict."""

import asyncio
from collections.abc import Mapping, Sequence

from forge_lsp.errors import NotFound, PackageRefused, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    FailedPackage,
    InstalledPackage,
    InstallReport,
    IsolationReport,
    Sandbox,
    SandboxCheck,
    SandboxDiagnostic,
    StageSink,
)

TEMPLATE = {
    ProjectPath.parse("index.html"): b"<div id=root></div>\n",
    ProjectPath.parse("package.json"): b'{"name": "app"}\n',
    ProjectPath.parse("src/App.tsx"): b"export default function App() { return null; }\n",
}


class MemorySandbox:
    """Its files in a dict; installs whatever isn't called `missing-package`."""

    def __init__(self, number: int) -> None:
        self._id = f"sb_{number}"
        self.contents = dict(TEMPLATE)
        self.alive = True
        self.is_full = False
        self.may_write = asyncio.Event()
        self.may_write.set()

    @property
    def id(self) -> str:
        return self._id

    @property
    def url(self) -> str:
        return f"http://preview.invalid/{self._id}"

    async def is_alive(self) -> bool:
        return self.alive

    def renew(self) -> None:
        pass

    async def files(self) -> Sequence[ProjectPath]:
        self._check()
        return sorted(self.contents)

    async def read(self, path: ProjectPath) -> bytes:
        self._check()
        if path not in self.contents:
            raise NotFound(f"There is no file {path}.")
        return self.contents[path]

    async def write(self, path: ProjectPath, content: bytes) -> None:
        self._check()
        await self.may_write.wait()
        if self.is_full:
            raise SandboxFailed("The sandbox's disk is full.")
        self.contents[path] = content

    async def delete(self, path: ProjectPath) -> None:
        self._check()
        self.contents.pop(path, None)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        self._check()
        for name in packages:
            if not name.isprintable() or name.startswith((".", "-")) or " " in name:
                raise PackageRefused(f"The package {name!r} is refused.")
        return InstallReport(
            tuple(InstalledPackage(name, "1.0.0") for name in packages if not _is_missing(name)),
            tuple(FailedPackage(name, "no such package") for name in packages if _is_missing(name)),
        )

    async def diagnostics(self) -> DiagnosticsReport:
        self._check()
        return DiagnosticsReport(
            output="1 problem",
            checks=(SandboxCheck("types", ok=False, detail="1 error", duration_ms=12),),
            diagnostics=(
                SandboxDiagnostic("src/App.tsx", 1, 2, "error", "TS1", "Wrong.", "tsc", 1, 5),
                SandboxDiagnostic("src/App.tsx", 3, 4, "warning", "W1", "Odd.", "vite"),
            ),
        )

    async def kill(self) -> None:
        self.alive = False

    def _check(self) -> None:
        if not self.alive:
            raise SandboxGone("The sandbox has ended.")


class MemoryProvider:
    """Makes them; `broken` is raised instead while it is set."""

    def __init__(self) -> None:
        self.made: list[MemorySandbox] = []
        self.broken: Exception | None = None

    @property
    def name(self) -> str:
        return "memory"

    async def isolation(self) -> IsolationReport:
        return IsolationReport("full", "nothing runs here")

    async def create(self, on_stage: StageSink) -> Sandbox:
        if self.broken:
            raise self.broken
        on_stage("Making a sandbox...")
        self.made.append(MemorySandbox(len(self.made) + 1))
        return self.made[-1]

    async def template(self) -> Mapping[ProjectPath, bytes]:
        return TEMPLATE

    async def close(self) -> None:
        for sandbox in self.made:
            await sandbox.kill()


def _is_missing(name: str) -> bool:
    return name.startswith("missing-package")
