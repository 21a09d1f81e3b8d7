"""Change sets as virtual documents, from which editors draw diffs (LSP 3.18, "Text Document
Content"): `forge:/<change set>/<before|after>/<path>`."""

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from forge_lsp.errors import ForgeError, InvalidRequest, NotFound
from forge_lsp.lsp.arguments import Document
from forge_lsp.lsp.edits import text_of
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.changes.sets import ChangeSet, FileChange
    from forge_lsp.lsp.session import Session

SCHEME = "forge"
MOST_SHOWN = 200
"""Documents that are kept up to date; the oldest are forgotten first."""

Side = Literal["before", "after"]

_URI = re.compile(
    r"forge:/(?://)?(?P<id>[A-Za-z0-9_-]{1,64})/(?P<side>before|after)/(?P<path>[^?#]+)"
)


def uri_of(change_set_id: str, side: Side, path: ProjectPath) -> str:
    """The virtual document of one side of a file's change."""
    return f"{SCHEME}:/{change_set_id}/{side}/{quote(path)}"


def is_shown(change: "FileChange") -> bool:
    """Whether both sides are text, and so can be shown."""
    return all(text_of(_side(change, side) or b"") is not None for side in ("before", "after"))


class Contents:
    """The virtual documents of one connection."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._shown: dict[str, str] = {}
        """The texts that the editor was given, by URI."""

    async def read(self, uri: str) -> str:
        """The text of a virtual document.

        Raises `InvalidRequest` for a URI that names none, and for a file that isn't text;
        `NotFound` for what isn't in a folder that is open here.
        """
        text = await self._read(uri)
        self._shown.pop(uri, None)
        self._shown[uri] = text
        if len(self._shown) > MOST_SHOWN:
            del self._shown[next(iter(self._shown))]
        return text

    async def refresh(self) -> None:
        """Tell the editor which of the documents that it was given are others now."""
        for uri, known in tuple(self._shown.items()):
            try:
                text = await self._read(uri)
            except ForgeError:
                continue
            if text != known and uri in self._shown:
                self._shown[uri] = text
                await self._session.client.refresh_content(uri)

    async def _read(self, uri: str) -> str:
        change_set_id, side, path = _parsed(uri)
        change_set = await self._find(change_set_id)
        change = change_set.file(path)
        if change is None:
            raise NotFound(f"The change {change_set_id} has no file {path}.")
        text = text_of(_side(change, side) or b"")
        if text is None:
            raise InvalidRequest(f"{path} isn't text, so it can't be shown.")
        return text

    async def _find(self, change_set_id: str) -> "ChangeSet":
        engine = await self._session.engine()
        for folder in self._session.folders:
            try:
                workspace = await self._session.workspace(Document(folder))
                return await engine.reviews.find(workspace.project, change_set_id)
            except ForgeError as error:
                if error.code not in ("not_found", "workspace_refused"):
                    raise
        raise NotFound(f"There is no change {change_set_id} in a folder that is open here.")


def _side(change: "FileChange", side: Side) -> bytes | None:
    """What is proposed; of what was decided, what the accepts did."""
    if change.state != "pending" and change.can_undo:
        return change.undo_to if side == "before" else change.undo_from
    return change.before if side == "before" else change.after


def _parsed(uri: str) -> tuple[str, Side, ProjectPath]:
    """Raises `InvalidRequest`; what stands encoded in a URI is no way around its slashes."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise InvalidRequest("That is no document of forge-lsp's.")
    parts = [unquote(part) for part in found["path"].split("/")]
    if any(part in ("", ".", "..") or "/" in part for part in parts):
        raise InvalidRequest("That is no document of forge-lsp's.")
    side: Side = "before" if found["side"] == "before" else "after"
    return found["id"], side, ProjectPath.parse("/".join(parts))
