"""VS Code in a real browser, used as a person would use it."""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

ACT_TIMEOUT_MS = 30_000
LOAD_TIMEOUT_MS = 60_000
RUN_TIMEOUT_MS = 60_000
LOOK_EVERY_MS = 50
_LOCAL = re.compile(r"127\.0\.0\.1|([a-z0-9_-]+\.)*localhost")

_SIGHT = """([name, text]) =>
  document.querySelector(`.tabs-container .tab[data-resource-name="${name}"]`) !== null &&
  [...document.querySelectorAll(".view-lines")].some((lines) => lines.innerText.includes(text))"""


@dataclass(slots=True)
class Window:
    """One window of VS Code; `pictures` is where its steps are shown."""

    page: Page
    pictures: Path
    foreign: list[str] = field(default_factory=list[str])
    """Addresses off this machine that it asked for."""

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        self.page.screenshot(path=self.pictures / f"{name}.png")

    def show_workspace(self, url: str, folder: str) -> None:
        """Show a workspace of several folders, of which `folder` is one."""
        for _ in range(5):
            self.page.goto(url)
            self.wait_until_ready()
            nothing = self.page.get_by_text("You have not yet added a folder to the workspace.")
            expect(self.explorer(folder).or_(nothing)).to_be_visible()
            # VS Code at times reads the workspace's file before it has reached its server.
            if not nothing.is_visible():
                return
        raise AssertionError(f"VS Code doesn't find the folders of {url}")

    def wait_until_ready(self) -> None:
        """Until the server runs."""
        self.page.locator(".monaco-workbench .part.statusbar").wait_for(timeout=LOAD_TIMEOUT_MS)
        expect(self.status).to_contain_text("no key", timeout=LOAD_TIMEOUT_MS)

    @property
    def status(self) -> Locator:
        """Forge's item in the status bar."""
        return self.page.locator('.part.statusbar .statusbar-item[id="forge-lsp.forge-lsp.forge"]')

    def command(self, title: str) -> None:
        """Choose a command from the palette by its whole title."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input[type=text]")
        expect(box).to_have_value(">")
        box.fill(f">{title}")
        self.pick(title)

    def offers(self, title: str) -> bool:
        """Whether the palette has a command of that whole title now."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input[type=text]")
        expect(box).to_have_value(">")
        box.fill(f">{title}")
        # What is like it, or that nothing is, comes in any case.
        expect(self.choices.first).to_be_visible()
        found = self.choice(title).count() > 0
        self.page.keyboard.press("Escape")
        return found

    def open_file(self, path: str) -> None:
        """Open a file of the folder, as a person does in the explorer."""
        *folders, name = path.split("/")
        for folder in folders:
            if self.explorer(folder).get_attribute("aria-expanded") == "false":
                self.explorer(folder).click()
        self.explorer(name).dblclick()
        expect(self.tab(name)).to_be_visible()

    def type_answer(self, placeholder: str, text: str) -> Locator:
        """Type into the input box of that placeholder, and leave it open."""
        box = self.page.locator(f'.quick-input-widget input[placeholder="{placeholder}"]')
        box.fill(text)
        return box

    def answer(self, placeholder: str, text: str) -> None:
        """Type into the input box of that placeholder, and send it off."""
        self.type_answer(placeholder, text).press("Enter")

    @property
    def choices(self) -> Locator:
        """What can be chosen now."""
        return self.page.locator(".quick-input-widget").get_by_role("option")

    def choice(self, label: str) -> Locator:
        """One of them."""
        name = re.compile(f"^{re.escape(label).replace('/', '[/]')}(,|$)")
        return self.page.locator(".quick-input-widget").get_by_role("option", name=name)

    def pick(self, label: str) -> None:
        """Choose from a list of choices."""
        self.choice(label).first.click()

    def from_context_menu(self, title: str) -> None:
        """Choose what the active editor's menu has for its selection."""
        self.page.keyboard.press("Shift+F10")
        item = self.page.locator(".monaco-menu .action-item").filter(has_text=title).first
        # The menu takes no click in its first moments, and says nothing of their end.
        item.hover(force=True)
        expect(item).to_have_class(re.compile(r"\bfocused\b"))
        self.page.keyboard.press("Enter")

    def toast(self, text: str) -> Locator:
        """The notification that says so."""
        toasts = self.page.locator(".notifications-toasts .notification-toast")
        return toasts.filter(has_text=text).first

    def press(self, toast: Locator, button: str) -> None:
        """A button of a notification."""
        toast.hover()
        toast.get_by_role("button", name=button, exact=True).click()

    def dismiss(self) -> None:
        """Take all notifications away."""
        self.command("Notifications: Clear All Notifications")
        expect(self.page.locator(".notifications-toasts .notification-toast")).to_have_count(0)

    def tab(self, name: str) -> Locator:
        """The tab of a document."""
        return self.page.locator(f'.tabs-container .tab[data-resource-name="{name}"]')

    def tab_titled(self, title: str) -> Locator:
        """The tab that says so."""
        return self.page.locator(".tabs-container .tab").filter(has_text=title)

    def explorer(self, name: str) -> Locator:
        """A file or folder in the explorer."""
        return self.page.locator(f'.explorer-folders-view .monaco-list-row[aria-label^="{name}"]')

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until something outside of VS Code is so, while VS Code goes on."""
        deadline = time.monotonic() + ACT_TIMEOUT_MS / 1000
        while not holds():
            assert time.monotonic() < deadline, "it did not come about"
            self.page.wait_for_timeout(LOOK_EVERY_MS)

    def wait_for_sight(self, name: str, text: str) -> None:
        """Until a document is seen with that text in it; it may be there for a moment only, which
        what looks a few times a second would miss."""
        self.page.wait_for_function(_SIGHT, arg=[name, text], timeout=RUN_TIMEOUT_MS)

    @property
    def text(self) -> Locator:
        """The lines in view of the active editor."""
        return self.page.locator(".editor-group-container.active .view-lines").first

    @property
    def preview(self) -> FrameLocator:
        """The app in the preview's panel."""
        webview = self.page.frame_locator("iframe.webview.ready")
        return webview.frame_locator("#active-frame").frame_locator("#page")


@contextmanager
def opened(browser: Browser, url: str, pictures: Path) -> Generator[Window]:
    """A window at `url`, which is closed afterwards; it must have asked nobody off this machine."""
    pictures.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(ACT_TIMEOUT_MS)
    window = Window(context.new_page(), pictures)

    def asked(address: str) -> None:
        host = urlsplit(address).hostname
        if host is not None and not _LOCAL.fullmatch(host):
            window.foreign.append(address)

    context.on("request", lambda request: asked(request.url))
    try:
        window.page.goto(url)
        yield window
    finally:
        window.picture(f"last-{len(context.browser.contexts) if context.browser else 0}")
        context.close()
    assert window.foreign == []
