"""Open documents, exactly as the editor has them."""

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


def lines_of_document(text: str) -> Sequence[str]:
    """`text` cut after each end of a line as LSP has them: LF, CR LF, and CR.

    `str.splitlines` knows more, and so puts every later edit on a wrong line.
    """
    return tuple(_LINE.findall(text))


class ExactDocument(TextDocument):
    """A document whose lines are those of the specification ("Text Documents")."""

    @property
    def lines(self) -> Sequence[str]:
        """With their ends; joined, they are the text again."""
        return lines_of_document(self.source)


class ExactWorkspace(Workspace):
    """The open documents, and word of every change."""

    @classmethod
    def like(cls, other: Workspace) -> "ExactWorkspace":
        """The same folders and encoding, nothing open yet."""
        return cls(
            other.root_uri,
            workspace_folders=list(other.folders.values()),
            position_encoding=other.position_encoding,
        )

    def document(self, uri: str) -> TextDocument | None:
        """The document if it is open."""
        return self.text_documents.get(unquote(uri))

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> TextDocument:
        return ExactDocument(
            doc_uri,
            source=source,
            version=version,
            language_id=language_id,
            sync_kind=types.TextDocumentSyncKind.Incremental,
            position_codec=self.position_codec,
        )


class Changes:
    """Lets many wait for the next word about any document."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def tell(self) -> None:
        """Something was opened, changed or closed."""
        if self._next is not None:
            told, self._next = self._next, None
            if not told.done():
                told.set_result(None)

    async def next(self, timeout_s: float) -> None:
        """Wait for the next word, at most so long."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._next], timeout=timeout_s)
