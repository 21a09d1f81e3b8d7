"""The editor at the other end: what it can do, and bounded ways to ask it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from forge_lsp.errors import ForgeError

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 10.0
"""An editor that takes longer to answer a request that no person has to answer won't."""
PERSON_TIMEOUT_S = 120.0
NUDGE_AFTER_S = 1.0
"""Emacs 28 leaves unread what comes in one piece with an answer, until something else comes
(jsonrpc 1.0.14, whose process filter is left by a throw)."""

MOST_REASON_CHARACTERS = 200
"""Of what an editor says of an edit that it didn't make."""

EVENT = "forge/event"


class Client:
    """One connection's editor."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._marked: dict[str, dict[str, Sequence[types.Diagnostic]]] = {}
        """By URI and by whose they are, the marks that it shows."""

    # What it can do

    @property
    def capabilities(self) -> types.ClientCapabilities:
        """As it said itself; editors under-report."""
        return self._server.client_capabilities

    @property
    def has_progress(self) -> bool:
        """It shows progress that the server begins."""
        window = self.capabilities.window
        return bool(window and window.work_done_progress)

    @property
    def has_show_document(self) -> bool:
        """It opens documents, and URLs in a browser."""
        window = self.capabilities.window
        return bool(window and window.show_document and window.show_document.support)

    @property
    def asks_questions(self) -> bool:
        """It shows a message with choices to the person, as far as it says."""
        window = self.capabilities.window
        return bool(window and window.show_message)

    @property
    def has_configuration(self) -> bool:
        """It can be asked for its settings."""
        workspace = self.capabilities.workspace
        return bool(workspace and workspace.configuration)

    @property
    def refreshes_lenses(self) -> bool:
        """It takes a hint that lenses have changed."""
        workspace = self.capabilities.workspace
        return bool(workspace and workspace.code_lens and workspace.code_lens.refresh_support)

    @property
    def registers_watched_files(self) -> bool:
        """It can be told while running which files to watch."""
        workspace = self.capabilities.workspace
        watched = workspace and workspace.did_change_watched_files
        return bool(watched and watched.dynamic_registration)

    @property
    def takes_document_changes(self) -> bool:
        """It takes more than texts to replace: versions of documents, files to create."""
        workspace = self.capabilities.workspace
        edit = workspace and workspace.workspace_edit
        return bool(edit and (edit.document_changes or edit.resource_operations))

    @property
    def annotates_edits(self) -> bool:
        """It shows what the changes in a workspace edit are for."""
        workspace = self.capabilities.workspace
        edit = workspace and workspace.workspace_edit
        return bool(edit and edit.document_changes and edit.change_annotation_support is not None)

    @property
    def shows_content(self) -> bool:
        """It asks for the texts of virtual documents."""
        workspace = self.capabilities.workspace
        return bool(workspace and workspace.text_document_content is not None)

    @property
    def registers_content(self) -> bool:
        """It can be told while running of which scheme those are."""
        workspace = self.capabilities.workspace
        content = workspace and workspace.text_document_content
        return bool(content and content.dynamic_registration)

    @property
    def tags_actions(self) -> bool:
        """It marks code actions that a model carries out."""
        document = self.capabilities.text_document
        action = document and document.code_action
        tags = action and action.tag_support
        return bool(tags and types.CodeActionTag.LlmGenerated in tags.value_set)

    def can(self, operation: types.ResourceOperationKind) -> bool:
        """Whether it creates or deletes files in a workspace edit."""
        workspace = self.capabilities.workspace
        edit = workspace and workspace.workspace_edit
        return bool(edit and edit.resource_operations and operation in edit.resource_operations)

    # Telling it

    def show(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """A message for the person."""
        self._server.window_show_message(types.ShowMessageParams(kind, text))

    def log(self, text: str) -> None:
        """Lines for the editor's log channel."""
        self._server.window_log_message(types.LogMessageParams(types.MessageType.Log, text))

    def show_failure(self, error: ForgeError) -> None:
        """What happened and what to do, once for each failure."""
        self.show(error.for_people(), types.MessageType.Error)

    def notify(self, method: str, params: object) -> None:
        """Any notification."""
        self._server.protocol.notify(method, params)

    def publish(
        self, uri: str, diagnostics: Sequence[types.Diagnostic], owner: str = "preview"
    ) -> None:
        """Replace what `owner` has marked in a file; what others have marked there stays.

        Without a version: Helix drops one that mismatches.
        """
        marked = self._marked.setdefault(uri, {})
        marked[owner] = diagnostics
        shown = [each for mine in marked.values() for each in mine]
        if not shown:
            del self._marked[uri]
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=shown)
        )

    # Asking it; None where it doesn't answer

    async def apply_edit(self, label: str, edit: types.WorkspaceEdit) -> str | None:
        """None where it says that it made the edit, which is not to be believed; else why it
        didn't, which few editors tell: then it is empty."""
        params = types.ApplyWorkspaceEditParams(edit=edit, label=label)
        answer = await self._ask(types.WORKSPACE_APPLY_EDIT, params, ANSWER_TIMEOUT_S)
        if answer and answer.applied:
            return None
        reason = (answer.failure_reason if answer else None) or ""
        return " ".join(reason.split())[:MOST_REASON_CHARACTERS].rstrip(".")

    async def show_document(
        self, uri: str, *, external: bool = False, is_late: bool = False
    ) -> bool:
        """Whether it says that it opened the document or the URL; one that `is_late` comes when
        the person may be typing elsewhere, and takes no focus."""
        params = types.ShowDocumentParams(uri=uri, external=external, take_focus=not is_late)
        answer = await self._ask(types.WINDOW_SHOW_DOCUMENT, params, ANSWER_TIMEOUT_S)
        return bool(answer and answer.success)

    async def open_preview(self, url: str) -> bool:
        """Show a page in a browser, and its URL in words where the editor can't; whether it
        could."""
        shown = self.has_show_document and await self.show_document(url, external=True)
        if not shown:
            self.show(f"The preview is at {url}")
        return shown

    async def choose(self, question: str, titles: Sequence[str]) -> str | None:
        """Which of the titles the person takes."""
        actions = [types.MessageActionItem(title=title) for title in titles]
        params = types.ShowMessageRequestParams(types.MessageType.Info, question, actions)
        answer = await self._ask(types.WINDOW_SHOW_MESSAGE_REQUEST, params, PERSON_TIMEOUT_S)
        return answer.title if answer else None

    async def may_go_on(self, spent_usd: float) -> bool:
        """Whether the person lets a run go on that has cost so much."""
        go_on = "Go on"
        question = f"Forge: this run has cost ${spent_usd:.2f}. Go on?"
        return await self.choose(question, [go_on, "Stop"]) == go_on

    async def configuration(self, uri: str | None) -> Mapping[str, Any]:
        """Its settings in the section `forge`; empty where it has none."""
        item = types.ConfigurationItem(scope_uri=uri, section="forge")
        params = types.ConfigurationParams(items=[item])
        answer = await self._ask(types.WORKSPACE_CONFIGURATION, params, ANSWER_TIMEOUT_S)
        first = answer[0] if answer else None
        return cast("Mapping[str, Any]", first) if isinstance(first, Mapping) else {}

    async def create_progress(self, token: types.ProgressToken) -> bool:
        """Whether it will show progress under this token."""
        params = types.WorkDoneProgressCreateParams(token=token)
        return await self._agreed(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)

    async def refresh_lenses(self) -> None:
        """A hint; that an editor doesn't know it is normal."""
        await self._agreed(types.WORKSPACE_CODE_LENS_REFRESH, None)

    async def refresh_content(self, uri: str) -> None:
        """Say that a virtual document is another now."""
        params = types.TextDocumentContentRefreshParams(uri)
        await self._agreed(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, params)

    async def watch_files(self, pattern: str) -> None:
        """Ask for word of what changes on disk."""
        options = types.DidChangeWatchedFilesRegistrationOptions(
            watchers=[types.FileSystemWatcher(glob_pattern=pattern)]
        )
        await self._register(
            "forge-watched-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options
        )

    async def offer_content(self, scheme: str) -> None:
        """Ask to be asked for the virtual documents of a scheme."""
        options = types.TextDocumentContentRegistrationOptions(schemes=[scheme])
        await self._register("forge-content", types.WORKSPACE_TEXT_DOCUMENT_CONTENT, options)

    async def _register(self, registration_id: str, method: str, options: object) -> None:
        registration = types.Registration(registration_id, method, options)
        params = types.RegistrationParams(registrations=[registration])
        await self._agreed(types.CLIENT_REGISTER_CAPABILITY, params)

    async def _agreed(self, method: str, params: object) -> bool:
        try:
            await self._request(method, params, ANSWER_TIMEOUT_S)
        except (JsonRpcException, TimeoutError) as error:
            log.info("the editor refused %s: %s", method, type(error).__name__)
            return False
        return True

    async def _ask(self, method: str, params: object, timeout_s: float) -> Any:
        try:
            return await self._request(method, params, timeout_s)
        except (JsonRpcException, TimeoutError) as error:
            log.info("the editor did not answer %s: %s", method, type(error).__name__)
            return None

    async def _request(self, method: str, params: object, timeout_s: float) -> Any:
        told = f"Waiting for the editor to answer {method}."
        nudge = asyncio.get_running_loop().call_later(NUDGE_AFTER_S, self.log, told)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._server.protocol.send_request_async(method, params)
        finally:
            nudge.cancel()
