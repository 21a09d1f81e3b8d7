"""Projects, their messages, and the fragments that came of them, as they are kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forge_lsp.events import DesignSpec
from forge_lsp.paths import ProjectPath

MessageType = Literal["RESULT", "ERROR"]


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A workspace folder, or an app that was begun over HTTP."""

    id: str
    account: str
    name: str
    created_at: int
    """Milliseconds since the epoch, as every time here."""
    updated_at: int
    folder: str = ""
    """The URI of the workspace; empty for one that was begun over HTTP."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that an answer changed, with the lines that it added and took away."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class ProjectMessage:
    """A message of one of the project's conversations, as people see it."""

    id: str
    project: str
    role: Literal["user", "assistant"]
    text: str
    created_at: int
    type: MessageType = "RESULT"
    image_url: str | None = None
    run_id: str | None = None
    """Of the run that answers, or answered, it."""
    fragment_id: str | None = None
    """Of what came of it."""
    conversation: str | None = None
    """None for one that was kept before there were conversations."""
    changed: tuple[ChangedFile, ...] = ()
    """What an answer changed, against the files as they were."""


@dataclass(frozen=True, slots=True)
class FragmentRecord:
    """The files of one assistant message, at one version; the newest unless said otherwise."""

    id: str
    message_id: str
    project: str
    account: str
    title: str
    version: int
    """1 for the first."""
    created_at: int
    updated_at: int
    """When this version was written."""
    sandbox_id: str | None = None
    sandbox_url: str | None = None
    image_url: str | None = None
    design_spec: DesignSpec | None = None


@dataclass(frozen=True, slots=True)
class FragmentVersion:
    """One version in a fragment's history."""

    version: int
    created_at: int
    reason: str
    """What brought it, for people."""
    changed: tuple[str, ...]
    """The paths in which it differs from the one before."""


Page = tuple[int, str]
"""When the last one of the page before was created, and its id."""


class ProjectStore(Protocol):
    """Every method raises `StoreFailed` when the database won't."""

    async def save_project(self, project: ProjectRecord) -> None:
        """Write it, or bring it up to date."""
        ...

    async def project(self, project_id: str) -> ProjectRecord | None: ...

    async def projects(
        self, account: str, *, limit: int, before: Page | None = None
    ) -> Sequence[ProjectRecord]:
        """The newest first."""
        ...

    async def add_project_message(self, message: ProjectMessage) -> None: ...

    async def project_messages(
        self, project_id: str, *, limit: int, before: Page | None = None
    ) -> Sequence[ProjectMessage]:
        """The newest first."""
        ...

    async def add_fragment(
        self, fragment: FragmentRecord, files: Mapping[ProjectPath, bytes], reason: str
    ) -> None:
        """Write a new fragment with its first version."""
        ...

    async def fragment(self, fragment_id: str) -> FragmentRecord | None: ...

    async def newest_fragment(self, project_id: str) -> FragmentRecord | None:
        """The project's fragment that was made last."""
        ...

    async def fragments(
        self, project_id: str, *, limit: int, before: Page | None = None
    ) -> Sequence[FragmentRecord]:
        """The newest first."""
        ...

    async def fragment_files(
        self, fragment_id: str, version: int | None = None
    ) -> Mapping[ProjectPath, bytes]:
        """The files of a version, the newest where none is named, sorted by path."""
        ...

    async def fragment_versions(self, fragment_id: str) -> Sequence[FragmentVersion]:
        """The newest first."""
        ...

    async def merge_fragment(
        self,
        fragment_id: str,
        files: Mapping[ProjectPath, bytes | None],
        *,
        at: int,
        reason: str,
        expected: int | None = None,
    ) -> FragmentRecord:
        """Make a new version in which these files are written, or gone where they are None.

        Two who do so at once lose neither's files. Raises `NotFound`, and `VersionConflict`
        where the newest version isn't the `expected` one.
        """
        ...

    async def tell_sandbox(
        self, fragment_id: str, sandbox_id: str | None, sandbox_url: str | None
    ) -> None:
        """The fragment is shown there now; makes no version."""
        ...

    async def left_files(
        self, project: str, kinds: Collection[str]
    ) -> Mapping[ProjectPath, bytes | None]:
        """What runs of these kinds left in the project's workspace: each file as it stood there
        when the last change of it was accepted; None for one that was deleted."""
        ...
