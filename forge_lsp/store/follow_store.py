"""The port `FollowedStore` over SQL."""

from collections.abc import Mapping, Sequence

from forge_lsp.ports.following import FragmentStep
from forge_lsp.store import following
from forge_lsp.store.database import Database


class SqlFollowing(Database):
    """What those ask for who follow fragments; a part of `SqlStore`."""

    async def fragment_steps(self, fragment_id: str, since: int) -> Sequence[FragmentStep]:
        """Each file that the versions after `since` wrote; see the port."""
        return await self._read(following.steps, fragment_id, since)

    async def taken_versions(self, project: str) -> Mapping[str, int]:
        """Up to which version the project's workspace has its fragments."""
        return await self._read(following.taken, project)

    async def note_taken(self, fragment_id: str, version: int) -> None:
        """Its workspace has it up to this version."""
        await self._write(following.note_taken, fragment_id, version)

    async def sandbox_owner(self, sandbox_id: str) -> str | None:
        """Who has the sandbox."""
        return await self._read(following.sandbox_owner, sandbox_id)

    async def disown_sandboxes(self, sandbox_ids: Sequence[str]) -> None:
        """Nobody has them any more."""
        await self._write(following.disown_sandboxes, sandbox_ids)

    async def move_sandbox(self, project: str, before: str | None, after: str, url: str) -> None:
        """The project's fragments that were shown in one sandbox are shown in another."""
        await self._write(following.move_sandbox, project, before, after, url)
