"""Sandboxes over a dict: the ports as they are meant, with nothing that runs."""

import asyncio
import itertools
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from forge_lsp.errors import (
    BrowserMissing,
    ForgeError,
    NotFound,
    PackageRefused,
    SandboxFailed,
    SandboxGone,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    FailedPackage,
    InstalledPackage,
    InstallReport,
    IsolationReport,
    LogLine,
    OutputSink,
    PythonOutput,
    Sandbox,
    SandboxDiagnostic,
    StageSink,
)
from forge_lsp.ports.workspace import Files

TEMPLATE: Mapping[ProjectPath, bytes] = {
    ProjectPath.parse("index.html"): b'<div id="root"></div>\n',
    ProjectPath.parse("package.json"): b'{\n  "dependencies": {\n    "react": "^19.0.0"\n  }\n}\n',
    ProjectPath.parse("src/App.tsx"): b"export default function App() {\n  return null;\n}\n",
    ProjectPath.parse("vite.config.ts"): b"export default {};\n",
}
PACKAGE_JSON = ProjectPath.parse("package.json")
VERSION = "1.2.3"
MOST_KEPT_LINES = 2_000
PICTURE = b"\x89PNG\r\n\x1a\n(a page)"
_BROKEN = re.compile(r"BROKEN(?::(server|page|package)(?:=([\w@/-]+))?)?")


class _Manifest(msgspec.Struct):
    dependencies: dict[str, str] = {}


@dataclass
class Program:
    """What a program does when it is run."""

    says: Sequence[str] = ()
    exit_code: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    """It runs until this is set; set from the start unless the test clears it."""

    def __post_init__(self) -> None:
        self.may_end.set()


class MemorySandbox:
    """Has every package but those whose names start with `missing`.

    As long as no other `report` is set, a line that holds `BROKEN` is a type error, one with
    `BROKEN:server` an error of the dev server's, one with `BROKEN:package=NAME` needs a package,
    and one with `BROKEN:page` throws in the page, which shows once a browser has looked at it.
    """

    def __init__(self, number: int) -> None:
        self._id = f"sb_{number}"
        self.contents: dict[str, bytes] = {str(path): data for path, data in TEMPLATE.items()}
        self.written: list[str] = []
        self.puts: list[tuple[str, ...]] = []
        """The paths of each `put`."""
        self.installed: list[str] = []
        self.refuses: set[str] = set()
        """Paths that it won't write."""
        self.is_full = False
        self.report: DiagnosticsReport | None = None
        self.diagnostics_failure: ForgeError | None = None
        self.looks: list[frozenset[str] | None] = []
        """What each look was told to have changed."""
        self.install_failure: ForgeError | None = None
        self.programs: dict[str, Program] = {}
        """By the first word of the command."""
        self.picture: bytes | None = None
        """What a browser shows; None where there is no browser."""
        self.picture_failure: ForgeError | None = None
        self.pictures_taken = 0
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.is_killed = False
        self._is_looked_at = False
        self._found: dict[str, list[SandboxDiagnostic]] = {}
        self._has_looked = False
        self._lines: list[LogLine] = []
        self._last_line = 0
        self._changed = asyncio.Condition()
        self._stirs = 0
        self._stirs_told = 0

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
        self._check()
        if self.is_full or path in self.refuses:
            raise SandboxFailed("The sandbox's disk is full.")
        self.contents[path] = content
        self.written.append(path)

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        self._check()
        self.puts.append(tuple(contents))
        failed: dict[ProjectPath, str] = {}
        for path, content in contents.items():
            try:
                if content is None:
                    await self.delete(path)
                else:
                    await self.write(path, content)
            except SandboxFailed as error:
                failed[path] = error.message
        return failed

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
        names = [_name(spec) for spec in packages]
        return InstallReport(
            tuple(InstalledPackage(each, VERSION) for each in names if not _is_missing(each)),
            tuple(FailedPackage(each, "no such package") for each in names if _is_missing(each)),
        )

    async def run(self, command: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        self._check()
        program = self.programs.get(command[0])
        if program is None:
            on_output(f"{command[0]}: not found\n")
            return 127
        for piece in program.says:
            on_output(piece)
        try:
            async with asyncio.timeout(timeout_s):
                await program.may_end.wait()
        except TimeoutError as error:
            raise SandboxFailed(f"{command[0]} took longer than {timeout_s} s.") from error
        self._check()
        return program.exit_code

    async def screenshot(self) -> bytes:
        self._check()
        if self.picture_failure:
            raise self.picture_failure
        if self.picture is None:
            raise BrowserMissing("There is no browser.")
        self._is_looked_at = True
        self.pictures_taken += 1
        return self.picture

    async def diagnostics(
        self, changed: Collection[ProjectPath] | None = None
    ) -> DiagnosticsReport:
        self._check()
        self.looks.append(None if changed is None else frozenset(changed))
        if self.diagnostics_failure:
            raise self.diagnostics_failure
        if self.report is not None:
            return self.report
        if changed is None or not self._has_looked:
            self._found.clear()
            changed = [ProjectPath.parse(path) for path in self.contents]
        self._has_looked = True
        for path in changed:
            self._found[path] = list(_broken_lines(path, self.contents.get(path, b"")))
        found = [each for path in sorted(self._found) for each in self._found[path]]
        return DiagnosticsReport("", (), tuple(filter(self._is_known, found)))

    async def stirred(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_killed or self._stirs > self._stirs_told)
            self._stirs_told = self._stirs
        self._check()

    def logs(self, after: int = 0, limit: int = 500) -> Sequence[LogLine]:
        return list(itertools.islice((each for each in self._lines if each.seq > after), limit))

    async def log_grew(self, after: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_killed or self._last_line > after)
        if self._last_line <= after:
            self._check()

    async def kill(self) -> None:
        self.is_killed = True
        await self._tell()

    async def say(self, texts: Iterable[str], source: Literal["server", "page"] = "server") -> None:
        """Have its dev server, or its page, write lines."""
        for text in texts:
            self._last_line += 1
            self._lines.append(LogLine(self._last_line, time.time_ns() // 10**6, source, text))
        del self._lines[:-MOST_KEPT_LINES]
        await self._tell()

    async def stir(self) -> None:
        """Have something happen in it that no write of ours did."""
        self._is_looked_at = True
        self._stirs += 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _is_known(self, problem: SandboxDiagnostic) -> bool:
        if problem.package is not None:
            return problem.package not in map(_name, self.installed)
        return problem.source != "page" or self._is_looked_at

    def _check(self) -> None:
        if self.is_killed:
            raise SandboxGone("The sandbox has ended.")


def _broken_lines(path: str, content: bytes) -> Iterator[SandboxDiagnostic]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if found := _BROKEN.search(line):
            column = len(line[: found.start()].encode("utf-16-le")) // 2 + 1
            yield _problem(path, number, column, found)


def _problem(path: str, line: int, column: int, found: "re.Match[str]") -> SandboxDiagnostic:
    match found[1]:
        case "server":
            code, message, source = "transform", "It can't be parsed.", "vite"
        case "page":
            code, message, source = "runtime", "It threw.", "page"
        case "package":
            code, message, source = "missing-package", f"{found[2]} isn't installed.", "vite"
        case _:
            code, message, source = "TS1", "It is broken.", "tsc"
    return SandboxDiagnostic(path, line, column, "error", code, message, source, package=found[2])


class MemoryProvider:
    """Makes them; raises `broken` instead while it is set."""

    def __init__(self) -> None:
        self.made: list[MemorySandbox] = []
        self.left: dict[str, MemorySandbox] = {}
        """By their projects, those that another process has made and left."""
        self.of_projects: dict[str, MemorySandbox] = {}
        """By their projects, the last of those that were made here."""
        self.python = asyncio.Event()
        """Python runs once this is set; set from the start unless the test clears it."""
        self.python.set()
        self.broken: ForgeError | None = None
        self.ends_at_once = False

    @property
    def name(self) -> str:
        return "memory"

    async def isolation(self) -> IsolationReport:
        return IsolationReport("full", "nothing runs here")

    async def create(
        self, on_stage: StageSink, contents: Files | None = None, project: str = ""
    ) -> Sandbox:
        if self.broken:
            raise self.broken
        on_stage("Making a sandbox...")
        sandbox = MemorySandbox(len(self.made) + 1)
        if contents is not None:
            await _lay(sandbox, contents, on_stage)
        self.made.append(sandbox)
        self.of_projects[project] = sandbox
        if self.ends_at_once:
            await sandbox.kill()
        return sandbox

    async def reconnect(self, project: str, on_stage: StageSink) -> Sandbox | None:
        if self.broken:
            raise self.broken
        sandbox = self.left.pop(project, None)
        if sandbox is None or sandbox.is_killed:
            return None
        on_stage("Taking up a sandbox...")
        self.made.append(sandbox)
        return sandbox

    async def run_python(self, project: str, code: str, on_stage: StageSink) -> PythonOutput:
        """What each function of that name is called with: `print`, `warn`, `show` (text) and
        `draw` (bytes), in code that is trusted to end."""
        if self.broken:
            raise self.broken
        on_stage("Running Python...")
        await self.python.wait()
        said: dict[str, list[Any]] = {name: [] for name in ("print", "warn", "show", "draw")}
        error = ""
        try:
            exec(code, {name: each.append for name, each in said.items()})
        except Exception as raised:  # noqa: BLE001 - Whatever it is, it is the code's.
            error = f"{type(raised).__name__}: {raised}"
        return PythonOutput(
            "".join(f"{each}\n" for each in said["print"]),
            "".join(f"{each}\n" for each in said["warn"]),
            tuple(said["show"]),
            tuple(said["draw"]),
            error,
            f"Traceback:\n{error}" if error else "",
            (),
        )

    async def template(self) -> Mapping[ProjectPath, bytes]:
        return TEMPLATE

    async def close(self) -> None:
        for sandbox in self.made:
            await sandbox.kill()


async def _lay(sandbox: MemorySandbox, contents: Files, on_stage: StageSink) -> None:
    """Hold the files, beside the template's where they are no whole app, and their packages."""
    found = {path: await contents.read(path) for path in await contents.files()}
    files = {path: content for path, content in found.items() if content is not None}
    if PACKAGE_JSON in files:
        sandbox.contents.clear()
    for refused, reason in (await sandbox.put(files)).items():
        on_stage(f"{refused} was not copied into the sandbox: {reason}")
    for failed in (await sandbox.install(_listed(files.get(PACKAGE_JSON, b"")))).failed:
        on_stage(f"{failed.name} was not installed: {failed.reason}")


def _listed(manifest: bytes) -> Sequence[str]:
    try:
        listed = msgspec.json.decode(manifest or b"{}", type=_Manifest).dependencies
    except msgspec.DecodeError:
        return ()
    return [f"{name}@{version}" for name, version in listed.items()]


def _name(spec: str) -> str:
    return spec[0] + spec[1:].partition("@")[0]


def _is_missing(name: str) -> bool:
    return name.startswith("missing")
