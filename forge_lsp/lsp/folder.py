"""A folder that is open in the editor: documents where open, else the disk."""

import asyncio
import codecs
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from forge_lsp.errors import PathRefused, WorkspaceRefused
from forge_lsp.lsp.client import Client
from forge_lsp.lsp.disk import read_file, real_path
from forge_lsp.lsp.documents import Changes, ExactWorkspace
from forge_lsp.lsp.listing import Listing, list_folder
from forge_lsp.paths import ProjectPath, is_allowed


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An edit that the editor was asked for and that didn't show in time. It may come yet."""

    found: bytes | None
    """What the file held."""
    target: bytes | None
    """What it was to become."""


class OpenFolder:
    """Lists and reads its files; `EditorWorkspace` changes them."""

    def __init__(
        self, root: Path, uri: str, documents: ExactWorkspace, changes: Changes, client: Client
    ) -> None:
        self.root = root
        self.uri = uri.rstrip("/")
        """As the editor spells it."""
        self.documents = documents
        self.changes = changes
        self.client = client
        self.given_up: dict[ProjectPath, GivenUp] = {}
        self._roots = (root, root.resolve())
        self._listing = Listing()

    @property
    def project(self) -> str:
        """The folder's URI, the same however an editor spells it."""
        return self.root.as_uri()

    async def files(self) -> Sequence[ProjectPath]:
        """What is on disk and what is only open, without what .gitignore hides."""
        self._listing = await asyncio.to_thread(list_folder, self.root)
        opened = (self.path_of(uri) for uri in self.documents.text_documents)
        unsaved = {path for path in opened if path and not self._listing.rules.hide(path)}
        return sorted(unsaved.union(self._listing.paths))

    async def read(self, path: ProjectPath) -> bytes | None:
        """The document's text as bytes where it is open, else what is on disk."""
        document = self.document(path)
        on_disk = await asyncio.to_thread(read_file, self.root, path)
        return on_disk if document is None else _bytes_of(document, on_disk)

    async def read_saved(self, paths: Sequence[ProjectPath]) -> Mapping[ProjectPath, bytes | None]:
        """Many files, in the time of a few: the documents' text as bytes where they are open, else
        what is on disk. A file in another encoding than UTF-8 comes as it is on disk."""
        on_disk = await asyncio.to_thread(_read_all, self.root, paths)
        return {path: self._as_saved(path, content) for path, content in on_disk.items()}

    async def is_as_on_disk(self, path: ProjectPath) -> bool:
        """Whether the open document is what would be loaded from the disk."""
        document = self.document(path)
        on_disk = await asyncio.to_thread(read_file, self.root, path)
        if document is None or on_disk is None:
            return document is None
        return not _is_utf8(on_disk) or _bytes_of(document, on_disk) == on_disk

    def why_not_writable(self, path: ProjectPath) -> str:
        """Looks at the .gitignore files as they were when the files were listed last."""
        if self._listing.rules.hide(path):
            return "a .gitignore file hides it"
        return ""

    def why_unsafe(self, path: ProjectPath) -> str:
        """Why the file may not be touched, once links are resolved; reads the disk."""
        try:
            real = real_path(self.root, path)
        except PathRefused as error:
            return error.message
        return self.why_not_writable(path) or self.why_not_writable(real)

    def document(self, path: ProjectPath) -> TextDocument | None:
        """The document if it is open."""
        return self.documents.document(self.uri_of(path))

    def _as_saved(self, path: ProjectPath, on_disk: bytes | None) -> bytes | None:
        document = self.document(path)
        if document is None or (on_disk is not None and not _is_utf8(on_disk)):
            return on_disk
        return _bytes_of(document, on_disk)

    def uri_of(self, path: ProjectPath) -> str:
        """The file's URI under the folder as the editor spells it."""
        return f"{self.uri}/{quote(path)}"

    def path_of(self, uri: str) -> ProjectPath | None:
        """The path of a URI in this folder; None for any that is outside or protected."""
        place = to_fs_path(uri)
        if place is None:
            return None
        for root in self._roots:
            if Path(place).is_relative_to(root):
                relative = Path(place).relative_to(root).as_posix()
                return ProjectPath.parse(relative) if is_allowed(relative) else None
        return None


def open_folder(uri: str) -> Path:
    """The folder of a URI; raises `WorkspaceRefused` for one that is not to be worked in."""
    place = to_fs_path(uri)
    if not place:
        raise WorkspaceRefused(f"{uri} is not a folder on this machine.")
    root = Path(place).absolute()
    real = root.resolve()
    home = Path.home().resolve()
    if real == home or home.is_relative_to(real):
        raise WorkspaceRefused(f"{root} holds all that you have, and so is no project folder.")
    if not real.is_dir():
        raise WorkspaceRefused(f"The folder {root} isn't there.")
    if not os.access(real, os.W_OK | os.X_OK):
        raise WorkspaceRefused(f"The folder {root} can't be written.")
    return root


def _read_all(root: Path, paths: Sequence[ProjectPath]) -> Mapping[ProjectPath, bytes | None]:
    return {path: read_file(root, path) for path in paths}


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _bytes_of(document: TextDocument, on_disk: bytes | None) -> bytes:
    """The document as it would be saved: editors keep a byte order mark to themselves."""
    content = document.source.encode("utf-8", "replace")
    if on_disk and on_disk.startswith(codecs.BOM_UTF8) and not content.startswith(codecs.BOM_UTF8):
        return codecs.BOM_UTF8 + content
    return content
