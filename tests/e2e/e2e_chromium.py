"""A real Chromium without a screen, of which every request is noted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from e2e_tools import executable
from playwright.async_api import Page, async_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGE_TIMEOUT_MS = 20_000


@dataclass(slots=True)
class Visit:
    """A page, with what it asked for and what went wrong in it."""

    page: Page
    hosts: set[str] = field(default_factory=set[str])
    """Every host that was asked, websockets included."""
    loads: int = 0
    """How often the page itself was loaded."""
    errors: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def visited(url: str) -> AsyncGenerator[Visit]:
    """The page at `url`, loaded in a browser that is gone afterwards."""
    browser_path = executable("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        try:
            page = await browser.new_page()
            page.set_default_timeout(PAGE_TIMEOUT_MS)
            visit = Visit(page)
            _note(visit)
            await page.goto(url)
            yield visit
        finally:
            await browser.close()


def _note(visit: Visit) -> None:
    def asked(url: str) -> None:
        visit.hosts.add(urlsplit(url).hostname or url)

    def loaded() -> None:
        visit.loads += 1

    visit.page.on("request", lambda request: asked(request.url))
    visit.page.on("websocket", lambda websocket: asked(websocket.url))
    visit.page.on("load", lambda _: loaded())
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
