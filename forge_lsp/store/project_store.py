"""The port `ProjectStore` over SQL."""

from collections.abc import Collection, Mapping, Sequence

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import (
    FragmentRecord,
    FragmentVersion,
    Page,
    ProjectMessage,
    ProjectRecord,
)
from forge_lsp.store import left_files, projects
from forge_lsp.store.conversation_store import SqlConversations


class SqlProjects(SqlConversations):
    """Projects, messages and fragments; a part of `SqlStore`."""

    async def save_project(self, project: ProjectRecord) -> None:
        """Write it, or bring it up to date."""
        await self._write(projects.save_project, project)

    async def project(self, project_id: str) -> ProjectRecord | None:
        """The project of this id."""
        return await self._read(projects.one_project, project_id)

    async def projects(
        self, account: str, *, limit: int, before: Page | None = None
    ) -> Sequence[ProjectRecord]:
        """The newest first."""
        return await self._read(projects.newest_projects, account, limit, before)

    async def add_project_message(self, message: ProjectMessage) -> None:
        """Write a message, which is never changed."""
        await self._write(projects.add_message, message)

    async def project_messages(
        self, project_id: str, *, limit: int, before: Page | None = None
    ) -> Sequence[ProjectMessage]:
        """The newest first."""
        return await self._read(projects.newest_messages, project_id, limit, before)

    async def add_fragment(
        self, fragment: FragmentRecord, files: Mapping[ProjectPath, bytes], reason: str
    ) -> None:
        """Write a new fragment with its first version."""
        await self._write(projects.add_fragment, fragment, files, reason)

    async def fragment(self, fragment_id: str) -> FragmentRecord | None:
        """The fragment of this id, at its newest version."""
        return await self._read(projects.one_fragment, fragment_id)

    async def newest_fragment(self, project_id: str) -> FragmentRecord | None:
        """The project's fragment that was made last."""
        found = await self.fragments(project_id, limit=1)
        return found[0] if found else None

    async def fragments(
        self, project_id: str, *, limit: int, before: Page | None = None
    ) -> Sequence[FragmentRecord]:
        """The newest first."""
        return await self._read(projects.newest_fragments, project_id, limit, before)

    async def fragment_files(
        self, fragment_id: str, version: int | None = None
    ) -> Mapping[ProjectPath, bytes]:
        """The files of a version, the newest where none is named, sorted by path."""
        return await self._read(projects.files, fragment_id, version)

    async def fragment_versions(self, fragment_id: str) -> Sequence[FragmentVersion]:
        """The newest first."""
        return await self._read(projects.versions, fragment_id)

    async def merge_fragment(
        self,
        fragment_id: str,
        files: Mapping[ProjectPath, bytes | None],
        *,
        at: int,
        reason: str,
        expected: int | None = None,
    ) -> FragmentRecord:
        """Make a new version; see the port."""
        return await self._write(
            projects.merge, fragment_id, files, at=at, reason=reason, expected=expected
        )

    async def tell_sandbox(
        self, fragment_id: str, sandbox_id: str | None, sandbox_url: str | None
    ) -> None:
        """The fragment is shown there now."""
        await self._write(projects.tell_sandbox, fragment_id, sandbox_id, sandbox_url)

    async def left_files(
        self, project: str, kinds: Collection[str]
    ) -> Mapping[ProjectPath, bytes | None]:
        """What runs of these kinds left in the project's workspace; see the port."""
        return await self._read(left_files.left_files, project, kinds)
