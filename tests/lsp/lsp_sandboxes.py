"""Sandboxes in memory: the port as it is meant, without processes."""

from collections.abc import Mapping, Sequence

from forge_lsp.errors import NotFound, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    InstalledPackage,
    InstallReport,
    IsolationReport,
    Sandbox,
    SandboxDiagnostic,
    StageSink,
)

TEMPLATE = {
    ProjectPath.parse("index.html"): b"<div id=root></div>\n",
    ProjectPath.parse("package.json"): b'{\n  "name": "app",\n  "dependencies": {}\n}\n',
    ProjectPath.parse("src/App.tsx"): b"export default function App() {\n  return null;\n}\n",
    ProjectPath.parse("vite.config.ts"): b"export default {};\n",
}


class MemorySandbox:
    """A sandbox whose files are a dict; a file that holds `BROKEN` has a problem."""

    def __init__(self, number: int) -> None:
        self.id = f"sb_{number}"
        self.url = f"http://127.0.0.1:{9000 + number}/"
        self._files: dict[ProjectPath, bytes] = dict(TEMPLATE)
        self._alive = True

    async def is_alive(self) -> bool:
        return self._alive

    def renew(self) -> None:
        pass

    async def files(self) -> Sequence[ProjectPath]:
        self._check()
        return sorted(self._files)

    async def read(self, path: ProjectPath) -> bytes:
        self._check()
        if path not in self._files:
            raise NotFound(f"There is no file {path}.")
        return self._files[path]

    async def write(self, path: ProjectPath, content: bytes) -> None:
        self._check()
        self._files[path] = content

    async def delete(self, path: ProjectPath) -> None:
        self._check()
        self._files.pop(path, None)

    async def install(self, packages: Sequence[str]) -> InstallReport:
        self._check()
        names = [each.rpartition("@")[0] or each for each in packages]
        return InstallReport(tuple(InstalledPackage(name, "1.0.0") for name in names), ())

    async def diagnostics(self) -> DiagnosticsReport:
        self._check()
        found: list[SandboxDiagnostic] = []
        for path, content in self._files.items():
            for number, line in enumerate(content.decode("utf-8", "replace").splitlines()):
                if "BROKEN" in line:
                    column = len(line[: line.index("BROKEN")].encode("utf-16-le")) // 2 + 1
                    found.append(
                        SandboxDiagnostic(
                            path, number + 1, column, "error", "TS1", "It is broken.", "tsc"
                        )
                    )
        return DiagnosticsReport("", (), tuple(found))

    async def kill(self) -> None:
        self._alive = False

    def _check(self) -> None:
        if not self._alive:
            raise SandboxGone(f"The sandbox {self.id} has ended.")


class MemoryProvider:
    """Makes them."""

    name = "memory"

    def __init__(self) -> None:
        self._made: list[MemorySandbox] = []

    async def isolation(self) -> IsolationReport:
        return IsolationReport("full", "nothing runs")

    async def create(self, on_stage: StageSink) -> Sandbox:
        on_stage("Making a sandbox...")
        sandbox = MemorySandbox(len(self._made) + 1)
        self._made.append(sandbox)
        return sandbox

    async def template(self) -> Mapping[ProjectPath, bytes]:
        return TEMPLATE

    async def close(self) -> None:
        for sandbox in self._made:
            await sandbox.kill()
