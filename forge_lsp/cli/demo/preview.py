"""Looking at the preview, to be sure that it is up."""

import asyncio
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urlsplit

from forge_lsp.errors import ForgeError

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 30.0
MAX_BODY_BYTES = 1 << 20


class PreviewWrong(ForgeError):
    """The preview answers something other than the app."""

    code = "preview_wrong"
    remedy = "`forge-lsp doctor` shows what may be missing."


@dataclass(frozen=True, slots=True)
class Page:
    """What the preview answered."""

    status: int
    content_type: str
    body: bytes


async def fetch(url: str, path: str = "/") -> Page:
    """Ask the preview for a path; raises `PreviewWrong` where it doesn't answer."""
    try:
        return await asyncio.to_thread(_fetch, url, path)
    except (OSError, HTTPException) as error:
        raise PreviewWrong(f"The preview at {url} doesn't answer: {error}.") from error


async def is_up(url: str) -> bool:
    """Whether anybody answers there."""
    try:
        await fetch(url)
    except PreviewWrong:
        return False
    return True


async def check_page(url: str) -> None:
    """Raises `PreviewWrong` unless the preview shows an HTML page."""
    page = await fetch(url)
    if page.status != 200 or page.content_type != "text/html" or b"<script" not in page.body:
        raise PreviewWrong(f"The preview at {url} answered {page.status} {page.content_type}.")


async def check_module(url: str, path: str) -> None:
    """Raises `PreviewWrong` unless the module is served as JavaScript that a browser can run.

    Asked for what it doesn't have, a dev server answers 200 with its page: only the type tells.
    """
    page = await fetch(url, f"/{quote(path)}")
    if page.status != 200 or "javascript" not in page.content_type:
        raise PreviewWrong(f"The preview answered {page.status} {page.content_type} for /{path}.")


def _fetch(url: str, path: str) -> Page:
    """Its name is one of those under `localhost`, which Python's resolver may not know."""
    parts = urlsplit(url)
    connection = HTTPConnection(LOOPBACK, parts.port, timeout=TIMEOUT_S)
    try:
        accept = "text/html" if path == "/" else "*/*"
        connection.request("GET", path, headers={"Host": parts.netloc, "Accept": accept})
        answer = connection.getresponse()
        content_type = answer.getheader("Content-Type", "").partition(";")[0].strip()
        return Page(answer.status, content_type, answer.read(MAX_BODY_BYTES))
    finally:
        connection.close()
