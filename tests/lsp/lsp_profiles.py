"""Editors as they are: what each declares, and what it makes of an edit."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

from lsp_wire import Editor, apply_text_edits

FOLDER = Path(__file__).with_name("profiles")
GIVEN_UP_S = 10.0
"""After so long eglot gives a command up, and Helix after twice that."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One editor."""

    name: str
    names_at_cursor: Literal["nothing", "a character", "a word", "a line"]
    """The range that it asks code actions for where nothing is selected."""
    stale_edits: Literal["refuses", "drops", "makes"]
    """What it does with an edit for an older version of a document; who drops it says that it
    was made."""
    only_root_uri: bool
    """It names its folder in the way from before there were several."""
    capabilities: dict[str, Any]

    def has(self, *path: str) -> Any:
        """What it declares under these keys; None where it declares nothing."""
        found: Any = self.capabilities
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found


def profiles() -> list[Profile]:
    """Every editor in the folder."""
    return [_profile(place) for place in sorted(FOLDER.glob("*.json"))]


def _profile(place: Path) -> Profile:
    read = json.loads(place.read_text())
    return Profile(
        place.stem,
        read["namesAtCursor"],
        read["staleEdits"],
        read.get("onlyRootUri", False),
        read["capabilities"],
    )


@dataclass
class Line:
    """A connection to a server of many, in the place of a process of one's own."""

    stdout: asyncio.StreamReader
    stdin: asyncio.StreamWriter
    returncode: int = 0


class ProfiledEditor(Editor):
    """Answers what its profile declares and nothing else; an edit is in a document until saved."""

    def __init__(self, line: Line, root: Path, profile: Profile) -> None:
        super().__init__(cast("asyncio.subprocess.Process", line), root)
        self.profile = profile
        self.encoding = "utf-16"
        # Whatever they declare, editors answer one refresh or the other like this.
        del self.answers["workspace/codeLens/refresh"]
        self.types_first: tuple[str, str] | None = None
        """What somebody types into a document right before the next edit comes."""

    async def start(self) -> None:
        """The handshake."""
        uri, folders = self.root.as_uri(), [{"uri": self.root.as_uri(), "name": self.root.name}]
        params = {
            "processId": None,
            "rootUri": uri,
            "capabilities": self.profile.capabilities,
            **({} if self.profile.only_root_uri else {"workspaceFolders": folders}),
        }
        capabilities = (await self.ask("initialize", params))["result"]["capabilities"]
        self.encoding = capabilities["positionEncoding"]
        self.notify("initialized", {})

    async def actions(self, uri: str, row: int) -> dict[str, dict[str, Any]]:
        """The code actions where the cursor stands in the middle of a row, by their titles."""
        params = {
            "textDocument": {"uri": uri},
            "range": self._at_cursor(uri, row),
            "context": {"diagnostics": []},
        }
        offered = (await self.ask("textDocument/codeAction", params))["result"]
        return {each["title"]: each for each in offered}

    async def take(self, action: dict[str, Any]) -> str:
        """Carry out a code action, whose answer comes at once; gives its run's outcome."""
        return await self.outcome(action["command"]["command"], *action["command"]["arguments"])

    async def outcome(self, command: str, *arguments: Any) -> str:
        """Execute a command that starts a run; gives its outcome as the progress tells it."""
        before, asked_s = len(self.ends), time.monotonic()
        answer = await self.command(command, *arguments)
        assert "result" in answer, answer
        assert time.monotonic() - asked_s < GIVEN_UP_S
        await self.wait(lambda _: len(self.ends) > before)
        return self.ends[before]

    @property
    def ends(self) -> list[str]:
        """What the progress of each run that has ended said at last."""
        told = [each["value"] for each in self.requests("$/progress")]
        return [each["message"] for each in told if each["kind"] == "end"]

    def save_all(self) -> None:
        """Write every document to its file."""
        for uri, text in self.documents.items():
            _place(uri).parent.mkdir(parents=True, exist_ok=True)
            _place(uri).write_bytes(text.encode())
            self.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    def close_document(self, path: str) -> None:
        """Close a document, saved or not."""
        uri = (self.root / path).as_uri()
        del self.documents[uri]
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    async def leave(self) -> int:
        """Shut down and exit; gives the exit code that nobody sees here."""
        await self.ask("shutdown")
        self.notify("exit")
        async with asyncio.timeout(10):
            await asyncio.wait([self._reading])
        return 0

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        await super().close()

    def _at_cursor(self, uri: str, row: int) -> dict[str, Any]:
        line = self.documents[uri].split("\n")[row]
        middle = line.index(" ", len(line) // 2) + 1
        first, last = {
            "nothing": (middle, middle),
            "a character": (middle, middle + 1),
            "a word": (middle, len(line)),
            "a line": (0, len(line)),
        }[self.profile.names_at_cursor]
        return {
            "start": {"line": row, "character": first},
            "end": {"line": row, "character": last},
        }

    def _answer(self, message: dict[str, Any]) -> None:
        if message["method"] not in self.answers or undeclared(self.profile, message):
            error = {"code": -32601, "message": "no such method"}
            self.send({"id": message["id"], "error": error})
            return
        super()._answer(message)

    def _apply_edit(self, params: Any) -> Any:
        if self.types_first is not None:
            uri, text = self.types_first
            self.types_first = None
            self.type(uri, text)
        else:
            for uri, version in versions(params["edit"]):
                assert version == (self.versions[uri] if uri in self.documents else None)
        for uri, version in versions(params["edit"]):
            if version is not None and version != self.versions.get(uri):
                if self.profile.stale_edits == "drops":
                    return {"applied": True}
                if self.profile.stale_edits == "refuses":
                    return {"applied": False, "failureReason": "outdated edit"}
        for change in params["edit"].get("documentChanges") or ():
            # Who makes stale edits has no eye for versions.
            change.get("textDocument", {})["version"] = None
        return super()._apply_edit(params)

    def _edit(self, uri: str, place: Path, edits: list[Any]) -> None:
        if uri not in self.documents:
            text = place.read_bytes().decode() if place.exists() else ""
            self.open(str(place.relative_to(self.root)), text)
        self.type(uri, apply_text_edits(self.documents[uri], edits, self.encoding))


def _place(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def versions(edit: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Each document of an edit with the version that it is for."""
    identifiers = [
        each["textDocument"] for each in edit.get("documentChanges") or () if "edits" in each
    ]
    return [(each["uri"], each["version"]) for each in identifiers]


@asynccontextmanager
async def connected(port: int, root: Path, profile: Profile) -> AsyncGenerator[ProfiledEditor]:
    """An editor of the profile, connected to the server and past its handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    client = ProfiledEditor(Line(reader, writer), root, profile)
    try:
        await client.start()
        yield client
        await client.leave()
    finally:
        await client.close()


_DECLARED = {
    "workspace/configuration": ("workspace", "configuration"),
    "window/workDoneProgress/create": ("window", "workDoneProgress"),
    "$/progress": ("window", "workDoneProgress"),
    "window/showDocument": ("window", "showDocument", "support"),
    "workspace/codeLens/refresh": ("workspace", "codeLens", "refreshSupport"),
    "workspace/diagnostic/refresh": ("workspace", "diagnostics", "refreshSupport"),
    "workspace/textDocumentContent/refresh": ("workspace", "textDocumentContent"),
}
"""What the client must have declared for a message."""
_ANYBODY = {
    "workspace/applyEdit",
    "window/showMessage",
    "window/showMessageRequest",
    "window/logMessage",
    "textDocument/publishDiagnostics",
}
"""What may come to everybody; Kate makes edits and doesn't say so."""


def undeclared(profile: Profile, message: dict[str, Any]) -> list[str]:
    """What in a request or notification the editor has not declared that it takes."""
    method: str = message["method"]
    params: dict[str, Any] = message.get("params") or {}
    match method:
        case "client/registerCapability":
            return [
                f"{each['method']} can't be registered"
                for each in params["registrations"]
                if not profile.has(*each["method"].split("/"), "dynamicRegistration")
            ]
        case "workspace/applyEdit":
            return list(_undeclared_in_edit(profile, params))
        case "textDocument/publishDiagnostics":
            return list(_undeclared_in_diagnostics(profile, params))
        case _ if method in _ANYBODY or (method in _DECLARED and profile.has(*_DECLARED[method])):
            return []
        case _:
            return [method]


def _undeclared_in_edit(profile: Profile, params: dict[str, Any]) -> Iterator[str]:
    edit, declared = params["edit"], profile.has("workspace", "workspaceEdit") or {}
    changes = edit.get("documentChanges") or ()
    takes_changes = declared.get("documentChanges") or declared.get("resourceOperations")
    if "documentChanges" in edit and not takes_changes:
        yield "documentChanges"
    if "documentChanges" in edit and "changes" in edit:
        yield "both ways at once"
    if "metadata" in params and not declared.get("metadataSupport"):
        yield "metadata"
    operations = {each["kind"] for each in changes if "kind" in each}
    if operations - set(declared.get("resourceOperations") or ()):
        yield f"operations: {operations}"
    texts = [one for each in changes if "edits" in each for one in each["edits"]]
    annotated = any("annotationId" in each for each in (*changes, *texts))
    if annotated or "changeAnnotations" in edit:
        if declared.get("changeAnnotationSupport") is None:
            yield "annotations"
        if any(each.get("needsConfirmation") for each in edit["changeAnnotations"].values()):
            yield "a confirmation, which VS Code asks for with every box unticked"
    if any("snippet" in each for each in texts):
        yield "snippets"


def _undeclared_in_diagnostics(profile: Profile, params: dict[str, Any]) -> Iterator[str]:
    declared = profile.has("textDocument", "publishDiagnostics") or {}
    needs = {
        "relatedInformation": "relatedInformation",
        "tags": "tagSupport",
        "codeDescription": "codeDescriptionSupport",
    }
    if "version" in params:
        yield "a version, by which Helix drops what comes late"
    for each in params["diagnostics"]:
        yield from (key for key, need in needs.items() if key in each and not declared.get(need))


def undeclared_in_action(profile: Profile, action: dict[str, Any]) -> list[str]:
    """What in a code action the editor has not declared that it takes."""
    declared = profile.has("textDocument", "codeAction") or {}
    needs = {"tags": "tagSupport", "isPreferred": "isPreferredSupport", "data": "dataSupport"}
    wrong = [key for key, need in needs.items() if key in action and not declared.get(need)]
    if not declared.get("codeActionLiteralSupport"):
        wrong.append("more than a command")
    if "disabled" in action:
        wrong.append("disabled, which Neovim shows as if it weren't")
    if not action.get("kind"):
        wrong.append("no kind, so that filters hide it")
    return wrong
