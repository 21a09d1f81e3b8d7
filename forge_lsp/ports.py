"""What the centre needs from the outside, named for its role.

`claude` implements Model, `store` Store, `sandbox` SandboxProvider and Sandbox, `lsp` Workspace;
`app` puts them together. All text that enters through a port is valid Unicode: an adapter
replaces lone surrogates before they come in.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from forge_lsp.changes.sets import ChangeSet
from forge_lsp.events import Outcome, Recorded
from forge_lsp.paths import ProjectPath

# Model


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to the model, ordered from what changes least to what changes most."""

    purpose: Literal["code", "select"]
    """Which of the configured models answers: `select` is the small, quick one."""
    system: str
    context: str
    """What the model should know of the project; cached together with `system`."""
    messages: Sequence[Message]
    """The conversation; the last one is the user's."""
    schema: Mapping[str, Any] | None = None
    """A JSON schema that the reply must fit; None for text."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens and cost of one request, as the server counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some more of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The request failed in a way that may pass; it is sent again after `delay_s` seconds.

    Only said before the first TextPiece: a reply that broke off ends with `stop="cut"` instead.
    """

    attempt: int
    attempts: int
    delay_s: float
    reason: str


StopReason = Literal["end", "max_tokens", "context_window", "refusal", "cut"]
"""Why the reply ended; `cut`: the connection broke off or fell silent in the middle of it."""


@dataclass(frozen=True, slots=True)
class ModelDone:
    """The reply has ended; nothing comes after it."""

    stop: StopReason
    model: str
    usage: TokenUsage = field(default_factory=TokenUsage)
    detail: str = ""
    """For `refusal` and `cut`: what is known of the cause, for people."""


ModelEvent = TextPiece | Retrying | ModelDone


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answers, for people and for the choice of an output format."""

    provider: str
    code_model: str
    select_model: str
    is_canned: bool
    """Its replies are prepared, not thought of: the demo model."""
    writes_whole_files: bool
    """It can't be trusted with search/replace edits (a small or weak model)."""


class Model(Protocol):
    """Something that answers prompts with text."""

    @property
    def info(self) -> ModelInfo: ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send the request and give the reply as it comes; the last event is a ModelDone.

        Closing the iterator (or cancelling the task that reads it) ends the request at once.
        Raises a `ModelFailed` where the request can't be answered and trying again won't help,
        or was tried often enough.
        """
        ...

    async def close(self) -> None: ...


# Store


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the store lists it."""

    id: str
    kind: str
    title: str
    project: str
    owner: str
    """The process that runs it: see `Store.interrupt_orphans`."""
    started_at: int
    """Milliseconds since the epoch, as every time here."""
    ended_at: int | None = None
    outcome: Outcome | None = None
    last_seq: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    account: str = "owner"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event on its way into the journal."""

    run_id: str
    recorded: Recorded


class Store(Protocol):
    """What outlives the process. Every method raises `StoreFailed` when the database won't."""

    async def create_run(self, run: RunRecord) -> None: ...

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Commit all of `entries` in one transaction, in order.

        `Usage` and `RunFinished` events also bring their run's record up to date.
        """
        ...

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` events of the run with `seq > after`, in order."""
        ...

    async def run(self, run_id: str) -> RunRecord | None: ...

    async def runs(self, *, limit: int, project: str | None = None) -> Sequence[RunRecord]:
        """The newest first."""
        ...

    async def interrupt_orphans(self, is_alive: Callable[[str], bool]) -> Sequence[str]:
        """End (failed, code `interrupted`) each open run whose owner `is_alive` denies."""
        ...

    async def save_change_set(self, change_set: ChangeSet) -> None:
        """Write it or bring it up to date; file contents are kept once, by their hash."""
        ...

    async def change_set(self, change_set_id: str) -> ChangeSet | None: ...

    async def change_sets(self, project: str, *, limit: int) -> Sequence[ChangeSet]:
        """The newest first."""
        ...

    async def add_messages(self, conversation: str, messages: Sequence[Message]) -> None: ...

    async def messages(self, conversation: str, *, limit: int) -> Sequence[Message]:
        """The last `limit` messages, the oldest of them first."""
        ...

    async def close(self) -> None: ...


# Sandbox


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


# Workspace


class Files(Protocol):
    """Somewhere that a prompt's context is read from."""

    async def files(self) -> Sequence[ProjectPath]:
        """What a prompt may hold, sorted."""
        ...

    async def read(self, path: ProjectPath) -> bytes | None:
        """The file's bytes; None where there is no file."""
        ...


@dataclass(frozen=True, slots=True)
class WorkspaceEdit:
    """What one file of the workspace should become. `before` is what it is believed to be."""

    path: ProjectPath
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class WorkspaceAnswer:
    """What became of one WorkspaceEdit."""

    path: ProjectPath
    ok: bool
    reason: str = ""
    found: bytes | None = None
    """What stood there when the edit was made; None where there was no file."""
    left: bytes | None = None
    """What stands there now."""


class Workspace(Files, Protocol):
    """A project folder that is open in an editor: documents where open, else the disk.

    What .gitignore hides is neither listed nor written.
    """

    @property
    def project(self) -> str:
        """Its id: the folder's URI."""
        ...

    def why_not_writable(self, path: ProjectPath) -> str:
        """Why the file may not be written, for people; empty where it may. From memory."""
        ...

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        """Make the edits through the editor and look whether they really hold.

        A file that differs from its `before` is merged hunk by hunk where that is clean, else
        left alone. Answers come in the order of `edits`.
        """
        ...
