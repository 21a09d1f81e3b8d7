"""What a process asks that follows what others make of a project's fragments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp.paths import ProjectPath


@dataclass(frozen=True, slots=True)
class FragmentStep:
    """One file of a fragment, as one version wrote it."""

    version: int
    reason: str
    """What brought the version, for people."""
    path: ProjectPath
    content: bytes | None
    """None where the version took the file away."""


class FollowedStore(Protocol):
    """Every method raises `StoreFailed` when the database won't."""

    async def fragment_steps(self, fragment_id: str, since: int) -> Sequence[FragmentStep]:
        """Each file that the versions after `since` wrote, in their order; before them the same
        files as they were in `since`, where they were."""
        ...

    async def taken_versions(self, project: str) -> Mapping[str, int]:
        """Of the project's fragments, up to which version its workspace has them; without those
        of which nobody has said so."""
        ...

    async def note_taken(self, fragment_id: str, version: int) -> None:
        """Its workspace has it up to this version; a smaller one than is known says nothing."""
        ...

    async def sandbox_owner(self, sandbox_id: str) -> str | None:
        """The `Store.owner` of the process that has the sandbox; None where nobody said so."""
        ...

    async def own_sandbox(self, sandbox_id: str) -> None:
        """This store's owner has the sandbox."""
        ...

    async def disown_sandboxes(self, sandbox_ids: Sequence[str]) -> None:
        """Nobody has them any more."""
        ...

    async def move_sandbox(self, project: str, before: str | None, after: str, url: str) -> None:
        """The project's fragments that were shown in the sandbox `before` (None: in none) are
        shown in `after` now; makes no version."""
        ...
