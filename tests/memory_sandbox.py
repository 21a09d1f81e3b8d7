"""Sandboxes over a dict: the ports as they are meant, with nothing that runs."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from forge_lsp.errors import ForgeError, NotFound, PackageRefused, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    FailedPackage,
    InstalledPackage,
    InstallReport,
    IsolationReport,
    Sandbox,
    SandboxDiagnostic,
    StageSink,
)

TEMPLATE: Mapping[ProjectPath, bytes] = {
    ProjectPath.parse("index.html"): b'<div id="root"></div>\n',
    ProjectPath.parse("package.json"): b'{\n  "dependencies": {\n    "react": "^19.0.0"\n  }\n}\n',
    ProjectPath.parse("src/App.tsx"): b"export default function App() {\n  return null;\n}\n",
    ProjectPath.parse("vite.config.ts"): b"export default {};\n",
}
VERSION = "1.2.3"


class MemorySandbox:
    """Has every package but those whose names start with `missing`; a line that holds `BROKEN` is
    a problem, as long as no other `report` is set."""

    def __init__(self, number: int) -> None:
        self._id = f"sb_{number}"
        self.contents: dict[str, bytes] = {str(path): data for path, data in TEMPLATE.items()}
        self.written: list[str] = []
        self.installed: list[str] = []
        self.refuses: set[str] = set()
        """Paths that it won't write."""
        self.is_full = False
        self.report: DiagnosticsReport | None = None
        self.install_failure: ForgeError | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.is_killed = False

    @property
    def id(self) -> str:
        return self._id

    @property
    def url(self) -> str:
        return f"http://127.0.0.1/{self._id}/"

    async def is_alive(self) -> bool:
        return not self.is_killed

    def renew(self) -> None:
        pass

    async def files(self) -> Sequence[ProjectPath]:
        self._check()
        return sorted(map(ProjectPath.parse, self.contents))

    async def read(self, path: ProjectPath) -> bytes:
        self._check()
        if path not in self.contents:
            raise NotFound(f"There is no file {path}.")
        return self.contents[path]

    async def write(self, path: ProjectPath, content: bytes) -> None:
        self._check()
        await self.may_write.wait()
        if self.is_full or path in self.refuses:
            raise SandboxFailed("The sandbox's disk is full.")
        self.contents[path] = content
        self.written.append(path)

    async def delete(self, path: ProjectPath) -> None:
        self._check()
        self.contents.pop(path, None)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        self._check()
        if self.install_failure:
            raise self.install_failure
        for spec in packages:
            if not spec.isprintable() or spec.startswith((".", "-")) or " " in spec:
                raise PackageRefused(f"The package {spec!r} is refused.")
        self.installed += packages
        names = [spec[0] + spec[1:].partition("@")[0] for spec in packages]
        return InstallReport(
            tuple(InstalledPackage(each, VERSION) for each in names if not _is_missing(each)),
            tuple(FailedPackage(each, "no such package") for each in names if _is_missing(each)),
        )

    async def diagnostics(self) -> DiagnosticsReport:
        self._check()
        if self.report is not None:
            return self.report
        found = [each for file in self.contents.items() for each in _broken_lines(*file)]
        return DiagnosticsReport("", (), tuple(found))

    async def kill(self) -> None:
        self.is_killed = True

    def _check(self) -> None:
        if self.is_killed:
            raise SandboxGone("The sandbox has ended.")


def _broken_lines(path: str, content: bytes) -> Iterator[SandboxDiagnostic]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        before, broken, _ = line.partition("BROKEN")
        if broken:
            column = len(before.encode("utf-16-le")) // 2 + 1
            yield SandboxDiagnostic(path, number, column, "error", "TS1", "It is broken.", "tsc")


class MemoryProvider:
    """Makes them; raises `broken` instead while it is set."""

    def __init__(self) -> None:
        self.made: list[MemorySandbox] = []
        self.broken: ForgeError | None = None

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
    return name.startswith("missing")
