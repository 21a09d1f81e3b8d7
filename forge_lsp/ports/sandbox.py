"""A place where the model's code runs, confined; `sandbox` implements it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.workspace import Files


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package that is really there."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class FailedPackage:
    """A package that could not be installed, and why, for people."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstallReport:
    """The answer of an install, package by package, in the order asked for."""

    installed: tuple[InstalledPackage, ...]
    failed: tuple[FailedPackage, ...]


@dataclass(frozen=True, slots=True)
class SandboxCheck:
    """One thing that was looked at: a process, the page, the types."""

    label: str
    ok: bool
    detail: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SandboxDiagnostic:
    """One problem in a file of the sandbox. Lines and columns are 1-based, columns in UTF-16."""

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    code: str
    message: str
    source: str
    end_line: int | None = None
    end_column: int | None = None
    package: str | None = None
    """The package that is missing, where that is the problem."""


@dataclass(frozen=True, slots=True)
class DiagnosticsReport:
    """What is wrong in a sandbox now."""

    output: str
    checks: tuple[SandboxCheck, ...]
    diagnostics: tuple[SandboxDiagnostic, ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that the dev server wrote, or the console of a page that is looked at."""

    seq: int
    """Counts from 1 in each sandbox."""
    at_ms: int
    """Milliseconds of Unix time."""
    source: Literal["server", "page"]
    text: str
    """Without its end, colours and other control characters."""


@dataclass(frozen=True, slots=True)
class PythonOutput:
    """What a piece of Python gave, without control sequences."""

    stdout: str
    stderr: str
    results: tuple[str, ...]
    """The value of its last expression and all that it displayed, as text, in their order."""
    charts: tuple[bytes, ...]
    """The PNG of each picture among them."""
    error: str
    """The name and message of what it raised; empty where it ended well."""
    traceback: str
    left_out: tuple[str, ...]
    """Sentences about what is not in here, being too much or too large."""


@dataclass(frozen=True, slots=True)
class IsolationReport:
    """How well this machine can confine a sandbox."""

    tier: Literal["full", "reduced", "none"]
    detail: str
    remedy: str = ""


StageSink = Callable[[str], None]
"""Takes a sentence for people about what is being done; never blocks."""
OutputSink = Callable[[str], None]
"""Takes some more of what a program prints, without control sequences; never blocks."""


class Sandbox(Protocol):
    """A place where the model's code runs, confined. Every method raises `SandboxGone` once it
    has ended, `SandboxFailed` where it won't do what it is told."""

    @property
    def id(self) -> str: ...

    @property
    def url(self) -> str:
        """Where the preview answers."""
        ...

    async def is_alive(self) -> bool:
        """Never raises."""
        ...

    def renew(self) -> None:
        """Start its lease anew; one that nobody renews ends."""
        ...

    async def files(self) -> Sequence[ProjectPath]:
        """Its regular files, sorted, without node_modules, .git and dist."""
        ...

    async def read(self, path: ProjectPath) -> bytes:
        """Raises `NotFound` where there is no regular file."""
        ...

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once; folders are made as needed."""
        ...

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        """Put many files in place, in the time of a few, and take away those that are None.

        Gives those that could not be, and why, for people.
        """
        ...

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        ...

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages by `name` or `name@range`; raises `PackageRefused` for a bad name."""
        ...

    async def run(self, command: Sequence[str], on_output: OutputSink, timeout_s: float) -> int:
        """Run a program in its folder, beside the dev server and as confined as that.

        Gives the exit code, or 128 and the signal that ended it. Raises `SandboxFailed` where it
        takes longer than `timeout_s`; whoever stops waiting ends it too.
        """
        ...

    async def screenshot(self) -> bytes:
        """A PNG of the preview's page, as a browser shows it that is itself confined.

        What the page throws meanwhile is among the diagnostics from then on. Raises
        `BrowserMissing` where there is no browser to look with.
        """
        ...

    async def diagnostics(
        self, changed: Collection[ProjectPath] | None = None
    ) -> DiagnosticsReport:
        """What is wrong now. With `changed`, the files that were written or deleted since the
        last report, only what they can have to do with is looked at; the rest of that report
        stands."""
        ...

    async def stirred(self) -> None:
        """Wait until there is something new to tell that no write of ours would: an error on its
        page, its dev server ended or came back. What came since the last call counts, so one
        watcher misses nothing; two would take it from each other."""
        ...

    def logs(self, after: int = 0, limit: int = 500) -> Sequence[LogLine]:
        """The lines with a greater `seq` that are still kept, oldest first, at most `limit`. From
        memory, and also once it has ended."""
        ...

    async def log_grew(self, after: int) -> None:
        """Wait until there is a line with a greater `seq` than `after`."""
        ...

    async def kill(self) -> None:
        """End it and all that runs in it; ending what has ended is a success."""
        ...


class SandboxProvider(Protocol):
    """Makes sandboxes: on this machine, or in a cloud."""

    @property
    def name(self) -> str: ...

    async def isolation(self) -> IsolationReport:
        """How well sandboxes are confined; looked at once, then remembered."""
        ...

    async def create(
        self, on_stage: StageSink, contents: Files | None = None, project: str = ""
    ) -> Sandbox:
        """A sandbox with its preview answering.

        It holds `contents` and runs as their package.json says; without one it is the template
        with `contents` laid over it. What can't be copied or installed is said and left out.
        With a `project`, `reconnect` finds it once this process is dead.
        """
        ...

    async def reconnect(self, project: str, on_stage: StageSink) -> Sandbox | None:
        """The living sandbox that an earlier process of this user's made for the project and
        left; None where there is none. It holds what that process had put into it."""
        ...

    async def run_python(self, project: str, code: str, on_stage: StageSink) -> PythonOutput:
        """Run a piece of Python, which finds what earlier pieces of the project have defined.

        That it raises something is part of the output. Whoever stops waiting ends it. Raises
        `SandboxFailed` where Python can't be run here, or takes too long.
        """
        ...

    async def template(self) -> Mapping[ProjectPath, bytes]:
        """The source files that a new sandbox holds, for an empty workspace."""
        ...

    async def close(self) -> None:
        """End every sandbox that it made."""
        ...
