"""Texts that an editor is to show, in files of our own that any editor can open."""

import asyncio
from contextlib import suppress
from pathlib import Path

from forge_lsp.errors import StoreFailed
from forge_lsp.lsp.client import Client


async def keep(place: Path, text: str) -> str:
    """Write the text there, for the owner's eyes alone; gives the URI. Raises `StoreFailed`."""
    await asyncio.to_thread(_write, place, text)
    return place.as_uri()


async def show(client: Client, place: Path, what: str) -> None:
    """Open the file in the editor, or tell where it is."""
    is_shown = client.has_show_document and await client.show_document(place.as_uri())
    if not is_shown:
        client.show(f"{what}: {place}")


def _write(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        # Half a text would look like a whole one.
        with suppress(OSError):
            place.unlink(missing_ok=True)
        raise StoreFailed(f"{place} can't be written: {error.strerror}.") from error
