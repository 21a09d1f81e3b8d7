"""What editors are told of edits that come from elsewhere: over HTTP, or from another editor."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.errors import ForgeError
from forge_lsp.lsp import arguments
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.lsp.session import Session

MOST_NAMED = 3
"""Files that a message names."""
SHOW = "Show the difference"
LATER = "Later"


class EditsElsewhere:
    """The `Audience` of the projects that one editor has open."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def found(self, project: str) -> None:
        """What other programs change in it matters from now on."""
        workspace = self._session.workspace_of(project)
        folders = [uri.rstrip("/") for uri in self._session.folders]
        if workspace is not None and workspace.uri in folders:
            self._session.outside.watch(workspace)

    def shown(self, project: str, paths: Collection[ProjectPath]) -> None:
        """Its problems may be others."""
        engine, workspace = self._session.late.opened, self._session.workspace_of(project)
        if engine is None or workspace is None:
            return
        if preview := self._session.previews.follow(engine, workspace):
            preview.look(paths)

    def collided(self, project: str, change_set_id: str, paths: Collection[ProjectPath]) -> None:
        """Nothing was overwritten; the person decides."""
        if workspace := self._session.workspace_of(project):
            asking = self._ask(workspace, change_set_id, list(paths))
            self._session.tasks.start(asking, f"ask about {change_set_id}")

    async def _ask(
        self, workspace: EditorWorkspace, change_set_id: str, paths: list[ProjectPath]
    ) -> None:
        # The commands know the session, which knows this.
        from forge_lsp.lsp.review_commands import diff

        client = self._session.client
        told = (
            f"Forge: {_named(paths)} edited elsewhere in lines that you changed, too. Nothing was"
            " overwritten: the edit waits for your review."
        )
        chosen = await client.choose(told, [SHOW, LATER])
        if chosen is None:
            # An editor that can't ask, or whose person looked past the question.
            client.show(
                f"{told} forge.review.diff shows it; accept or reject it as any change.",
                types.MessageType.Warning,
            )
        if chosen == SHOW:
            document = arguments.Document(workspace.uri_of(paths[0]))
            given = arguments.ReviewDiff(change_set_id, text_document=document)
            try:
                await diff(self._session, given, None)
            except ForgeError as error:
                client.show_failure(error)


def _named(paths: list[ProjectPath]) -> str:
    names = ", ".join(paths[:MOST_NAMED])
    more = len(paths) - MOST_NAMED
    verb = "was" if len(paths) == 1 else "were"
    return f"{names} and {more} more were" if more > 0 else f"{names} {verb}"
