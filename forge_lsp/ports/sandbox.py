"""A place where the model's code runs, confined; `sandbox` implements it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forge_lsp.paths import ProjectPath


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
class IsolationReport:
    """How well this machine can confine a sandbox."""

    tier: Literal["full", "reduced", "none"]
    detail: str
    remedy: str = ""


StageSink = Callable[[str], None]
"""Takes a sentence for people about what is being done; never blocks."""


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

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success."""
        ...

    async def install(self, packages: Sequence[str]) -> InstallReport:
        """Install packages by `name` or `name@range`; raises `PackageRefused` for a bad name."""
        ...

    async def diagnostics(self) -> DiagnosticsReport: ...

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

    async def create(self, on_stage: StageSink) -> Sandbox:
        """A sandbox that holds the template, with its preview answering."""
        ...

    async def template(self) -> Mapping[ProjectPath, bytes]:
        """The source files that a new sandbox holds, for an empty workspace."""
        ...

    async def close(self) -> None:
        """End every sandbox that it made."""
        ...
