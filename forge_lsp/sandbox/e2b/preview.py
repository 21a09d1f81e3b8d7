"""The preview of a cloud sandbox, looked at from here."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.dev_server import MAX_PAGE_BYTES, PAGE_TIMEOUT_S, Page

PORT = 5173
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Preview:
    """A sandbox's page on the public network."""

    session: aiohttp.ClientSession
    url: str
    """With a slash at its end."""

    async def get(self, path: str) -> Page:
        """Ask for a page; raises `aiohttp.ClientError` or `TimeoutError` where none comes.

        The sandbox's code answers, so no redirect is followed, and no answer is read for ever.
        """
        async with (
            asyncio.timeout(PAGE_TIMEOUT_S),
            self.session.get(
                self.url.rstrip("/") + path,
                headers={"Accept": "text/html, */*"},
                allow_redirects=False,
                proxy=proxy_for(self.url),
            ) as answer,
        ):
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > MAX_PAGE_BYTES:
                    answer.close()
                    break
            return Page(answer.status, answer.content_type, bytes(body[:MAX_PAGE_BYTES]))

    async def answers(self) -> bool:
        """Whether the page is there."""
        try:
            return (await self.get("/")).status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def is_shut(self) -> bool:
        """Whether E2B says that nothing in the sandbox listens on the port."""
        try:
            page = await self.get("/")
        except (aiohttp.ClientError, TimeoutError):
            return False
        return _is_shut(page)

    async def ready(self, timeout_s: float) -> None:
        """Wait until the page answers 200; raises `SandboxFailed`."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    if await self.answers():
                        return
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise SandboxFailed(
                f"The preview at {self.url} did not answer within {timeout_s:.0f} s.",
                remedy="Try again; set FORGE_SANDBOX_START_TIMEOUT_S higher where that helps.",
            ) from error


class OwnPreview(Preview):
    """The page of a project's own server. What that says of itself is its own matter: one that
    has nothing at its root, or an error there, is up all the same."""

    async def answers(self) -> bool:
        """Whether anything but E2B itself answers."""
        try:
            return not _is_shut(await self.get("/"))
        except (aiohttp.ClientError, TimeoutError):
            return False


@dataclass(frozen=True, slots=True)
class Observed:
    """A dev server as it was found, which can be asked for its modules."""

    preview: Preview
    is_running: bool
    output: str
    """Its last lines."""
    place: str
    """The folder that it serves, as it names it."""

    @property
    def why_ended(self) -> str:
        """Its last words, where it has ended."""
        return "" if self.is_running else self.output.rpartition("\n")[2]

    async def get(self, path: str) -> Page:
        """Ask for a page, in which the folder has the name that every sandbox gives it."""
        page = await self.preview.get(path)
        return Page(page.status, page.content_type, page.body.replace(self._folder, b"/app/"))

    @property
    def _folder(self) -> bytes:
        return json.dumps(self.place + "/")[1:-1].encode()


def open_session() -> aiohttp.ClientSession:
    """Cookies of one sandbox are not another's, and what is in .netrc is for none of them."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this address."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _is_shut(page: Page) -> bool:
    return page.status == 502 and "port is not open" in _message_in(page.body)


def _message_in(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
        return str(answer["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        # The page may be anything.
        return ""
