"""What one editor has open with us: its folders, its settings, its runs, and the engine."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from lsprotocol import types
from pygls.uris import to_fs_path

from forge_lsp import events
from forge_lsp.actions.late import Late
from forge_lsp.errors import ForgeError, InvalidRequest, WorkspaceRefused
from forge_lsp.lsp.arguments import Document
from forge_lsp.lsp.client import Client
from forge_lsp.lsp.configuration import Configuration
from forge_lsp.lsp.content import Contents
from forge_lsp.lsp.documents import Changes, ExactWorkspace
from forge_lsp.lsp.edits_elsewhere import EditsElsewhere
from forge_lsp.lsp.folder import open_folder
from forge_lsp.lsp.insights import Insights
from forge_lsp.lsp.outside import Outside
from forge_lsp.lsp.placements import Placements
from forge_lsp.lsp.previews import Previews
from forge_lsp.lsp.tasks import Tasks
from forge_lsp.lsp.watching import Watcher
from forge_lsp.lsp.workspace import EditorWorkspace

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.runs import Run
    from forge_lsp.settings import Places, Settings

log = logging.getLogger(__name__)

OpenEngine = Callable[["Settings", "Places"], Awaitable["Engine"]]


class Started(TypedDict):
    """What a command that starts a run answers, at once."""

    runId: str


class Session:
    """One connection, from `initialize` to its end."""

    def __init__(
        self,
        client: Client,
        get_documents: Callable[[], ExactWorkspace],
        open_engine: OpenEngine,
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        self.client = client
        self.previews = Previews(drained)
        self.changes = Changes()
        self.late: Late[Engine] = Late(self._open)
        self.configuration = Configuration(client)
        self.watcher = Watcher(client, self.configuration, drained, self._run_said)
        self.url: str | None = None
        """Where the HTTP API of this process answers, once it does."""
        self.active_uri: str | None = None
        """The document that the person did something in last."""
        self.tasks = Tasks()
        self.insights = Insights(client, self.changes, self.tasks)
        self.contents = Contents(self)
        self.placements = Placements()
        self.outside = Outside(client)
        self.elsewhere = EditsElsewhere(self)
        self._get_documents = get_documents
        self._open_engine = open_engine
        self._workspaces: dict[str, EditorWorkspace] = {}

    @property
    def documents(self) -> ExactWorkspace:
        """The open documents."""
        return self._get_documents()

    @property
    def folders(self) -> Mapping[str, str]:
        """URI and name of each folder that is open."""
        folders = {each.uri: each.name for each in self.documents.folders.values()}
        root = self.documents.root_uri
        return folders or ({root: root} if root else {})

    async def engine(self, workspace: EditorWorkspace | None = None) -> "Engine":
        """The engine, opened at the first command; knows what the workspace left pending."""
        engine = await self.late.get()
        if workspace is not None:
            engine.workspaces[workspace.project] = workspace
            engine.following.follow(engine, workspace.project)
            await engine.reviews.load(workspace.project)
        return engine

    async def workspace(self, document: Document | None) -> EditorWorkspace:
        """The folder of the document, else of the active one, else the only one, else the one
        that the person picks. Raises `WorkspaceRefused`."""
        folders = self.folders
        if not folders:
            raise WorkspaceRefused("No folder is open.")
        uri = self.folder_of(document.uri if document else self.active_uri)
        if uri is None and len(folders) == 1:
            uri = next(iter(folders))
        if uri is None:
            chosen = await self.client.choose("Forge: in which folder?", list(folders.values()))
            uri = next((each for each, name in folders.items() if name == chosen), None)
        if uri is None:
            raise InvalidRequest(
                "No folder was chosen.", remedy="Open a file in one and try again."
            )
        return await self._open_workspace(uri)

    def folder_of(self, uri: str | None) -> str | None:
        """The innermost open folder that holds a document; from memory."""
        place = to_fs_path(uri) if uri else None
        if place is None:
            return None
        holding = [
            (len(root), folder)
            for folder in self.folders
            if (root := to_fs_path(folder)) and Path(place).is_relative_to(root)
        ]
        return max(holding)[1] if holding else None

    def known_workspace(self, uri: str) -> EditorWorkspace | None:
        """The workspace of a document if it was worked in already; from memory."""
        folder = self.folder_of(uri)
        return self._workspaces.get(folder) if folder else None

    def follow(
        self, engine: "Engine", run: "Run", token: types.ProgressToken | None = None
    ) -> Started:
        """Tell the editor about a run from now on, and answer its command."""
        self.watcher.follow(engine, run, token)
        return Started(runId=run.id)

    async def cancel(self, run_id: str) -> None:
        """End a run whose bar the person clicked away; one that ended meanwhile is no matter."""
        engine = self.late.opened
        if engine is not None and engine.runs.live(run_id):
            await engine.runs.cancel(run_id)

    async def close(self) -> None:
        """End what this connection has under way."""
        await self.outside.close()
        await self.previews.close()
        engine = self.late.opened
        if engine is not None:
            await engine.close()
        await self.watcher.close()
        await self.tasks.close()

    async def _open_workspace(self, uri: str) -> EditorWorkspace:
        root = await asyncio.to_thread(open_folder, uri)
        known = self._workspaces.get(uri)
        if known is None:
            known = EditorWorkspace(root, uri, self.documents, self.changes, self.client)
            await known.files()
            # Somebody else may have opened it meanwhile.
            known = self._workspaces.setdefault(uri, known)
        return known

    async def _open(self) -> "Engine":
        folder = self.folder_of(self.active_uri) or next(iter(self.folders), None)
        settings, places, notes = await self.configuration.load(folder)
        for note in notes:
            self.client.show(note, types.MessageType.Warning)
        engine = await self._open_engine(settings, places)
        engine.reviews.on_change(self._review_changed)
        engine.following.audience.append(self.elsewhere)
        self.tasks.start(self._take_up_folders(engine), "take up folders")
        return engine

    async def _take_up_folders(self, engine: "Engine") -> None:
        """Follow the projects of the open folders that were worked in before."""
        for uri in self.folders:
            try:
                workspace = await self._open_workspace(uri)
                if await engine.store.newest_fragment(workspace.project) is not None:
                    await self.engine(workspace)
            except ForgeError as error:
                log.info("a folder is not followed: %s", error.message)

    def _run_said(self, engine: "Engine", run: "Run", event: events.Event) -> None:
        """Keep to the sandbox that a run made, and to what it left there."""
        workspace = self.workspace_of(run.record.project)
        preview = self.previews.follow(engine, workspace) if workspace else None
        if preview is not None and isinstance(event, events.RunFinished):
            preview.run_ended(run)
        if isinstance(event, events.RunFinished) and event.preview_url:
            self.tasks.start(self.client.open_preview(event.preview_url), "open preview")

    def workspace_of(self, project: str) -> EditorWorkspace | None:
        """The open folder of that project if it was worked in already; from memory."""
        return next((each for each in self._workspaces.values() if each.project == project), None)

    def _review_changed(self, project: str) -> None:
        del project
        if self.client.refreshes_lenses:
            self.tasks.start(self.client.refresh_lenses(), "refresh lenses")
        if self.client.shows_content:
            self.tasks.start(self.contents.refresh(), "refresh virtual documents")
