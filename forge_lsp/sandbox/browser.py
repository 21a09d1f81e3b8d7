"""Pictures of a preview's page, taken by a browser that is itself confined.

The page is hostile code, and a browser has more holes than a dev server. So each picture is taken
by a Chromium of its own, in a confinement of its own: it sees its program, the machine's fonts
and one empty folder, and its whole network is one listening socket, on which we serve the
preview. Chromium's own sandbox needs namespaces that a confinement refuses, so it is switched
off: what holds is the confinement around all of it.
"""

import asyncio
import logging
import os
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from forge_lsp.errors import NotFound, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.files import read_file
from forge_lsp.sandbox.folders import remove_tree
from forge_lsp.sandbox.isolation.confinement import TOOLS, Confined, Confinement, Limits
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.programs import find_browser
from forge_lsp.sandbox.output import Tail
from forge_lsp.sandbox.relay import Relay

log = logging.getLogger(__name__)

PORT = 4874
"""Where the browser finds the preview, on the 127.0.0.1 of its sandbox."""
WIDTH, HEIGHT = 1280, 800
"""Of the page, in pixels."""
TIMEOUT_S = 30.0
"""From starting the browser until it has ended."""
LOADING_TIMEOUT_MS = 10_000
"""A page that is still loading then is shown as it is."""
PAGE_TIME_MS = 5_000
"""How far the page's own clock is turned on, without waiting: its timers and animations."""
MAX_PICTURE_BYTES = 5 * 1024 * 1024
"""More than the pixels take when nothing of them can be compressed."""
LIMITS = Limits(memory_mb=1024, disk_mb=32, processes=384)
"""It takes about 400 MB and 130 threads for a simple page."""

OpenRelay = Callable[[socket.socket], Awaitable[Relay]]
"""Serves the preview on a listening socket, which is the relay's own from then on."""

_PICTURE = ProjectPath.parse("page.png")
_SHOWN_CHARACTERS = 300
_FLAGS: Sequence[str] = (
    *("--headless=new", "--no-sandbox", "--user-data-dir=/tmp/browser", "--disable-dev-shm-usage"),
    # There is no graphics card inside; what draws in its place is confined like all the rest.
    *("--disable-gpu", "--enable-unsafe-swiftshader"),
    *("--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    *("--disable-breakpad", "--no-pings", "--deny-permission-prompts", "--mute-audio"),
    *(f"--window-size={WIDTH},{HEIGHT}", "--force-device-scale-factor=1", "--hide-scrollbars"),
    f"--screenshot=/app/{_PICTURE}",
)

_PNG_HEAD = struct.Struct(">8sI4sII")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


class Browser:
    """Takes pictures, one at a time: each needs as much memory as everything else together."""

    def __init__(
        self,
        confinement: Confinement,
        root: Path,
        *,
        timeout_s: float = TIMEOUT_S,
        loading_timeout_ms: int = LOADING_TIMEOUT_MS,
    ) -> None:
        """Its folders are made in `root`, which the confinement's owner must be able to reach."""
        self._confinement = confinement
        self._root = root
        self._timeout_s = timeout_s
        self._loading_timeout_ms = loading_timeout_ms
        self._turn = asyncio.Lock()

    async def picture(self, sandbox_id: str, open_relay: OpenRelay) -> bytes:
        """A PNG of the preview's page, `WIDTH` by `HEIGHT` pixels; takes some two seconds.

        `open_relay` serves it under the name `<sandbox_id>.localhost`. Raises `BrowserMissing`
        where there is no browser, `SandboxFailed` where the page lets none be taken.
        """
        program = await asyncio.to_thread(find_browser, Identity.choose())
        url = f"http://{sandbox_id}.localhost:{PORT}/"
        async with self._turn:
            folder = self._root / f"picture_{secrets.token_hex(10)}"
            try:
                _make_folder(folder, self._confinement.owner())
                said = await self._visit(program, url, folder, open_relay)
                return await asyncio.to_thread(_read_picture, folder, said)
            finally:
                await remove_tree(folder)

    async def _visit(self, program: Path, url: str, folder: Path, open_relay: OpenRelay) -> str:
        """Let the browser show `url` and put the picture into `folder`; gives its last words."""
        confined = await self._start(program, url, folder)
        try:
            with confined.listeners[PORT] as listener:
                relay = await open_relay(listener)
                try:
                    async with asyncio.timeout(self._timeout_s):
                        return await _last_words(confined)
                finally:
                    await relay.close()
        except TimeoutError as error:
            raise SandboxFailed(
                f"The page let no picture be taken within {self._timeout_s:.0f} s.",
                remedy="See whether it loops, reloads itself or opens a dialog.",
            ) from error
        finally:
            await confined.kill()

    async def _start(self, program: Path, url: str, folder: Path) -> Confined:
        is_visible = program.is_relative_to("/usr")
        return await self._confinement.spawn(
            [
                str(program if is_visible else TOOLS / program.name),
                *_FLAGS,
                f"--virtual-time-budget={PAGE_TIME_MS}",
                f"--timeout={self._loading_timeout_ms}",
                url,
            ],
            directory=folder,
            environment={},
            limits=LIMITS,
            listen=[PORT],
            toolbox=None if is_visible else program.parent,
        )


async def _last_words(confined: Confined) -> str:
    """What it prints until it ends; raises `SandboxFailed` where it had to be ended, or broke."""
    tail = Tail()
    await tail.read(confined.output)
    code = await confined.wait()
    log.debug("the browser ended with code %d: %s", code, tail.text)
    if confined.ended_because:
        raise SandboxFailed(
            f"The page let no picture be taken. {confined.ended_because}",
            remedy="See what on the page takes that much.",
        )
    if code:
        raise _failed(f"The browser ended with code {code}.", tail.text)
    return tail.text


def _make_folder(folder: Path, owner: tuple[int, int]) -> None:
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, *owner)
    except OSError as error:
        raise SandboxFailed(f"{folder.parent} can't be written: {error.strerror}.") from error


def _read_picture(folder: Path, said: str) -> bytes:
    """The picture, if it is one that this browser, unless the page has taken it over, makes."""
    try:
        picture = read_file(folder, _PICTURE, MAX_PICTURE_BYTES)
    except NotFound as error:
        raise _failed("The browser took no picture.", said) from error
    if not (_is_of_the_page(picture[: _PNG_HEAD.size]) and picture.endswith(_PNG_END)):
        raise SandboxFailed("What the browser took is no picture of the page.")
    return picture


def _is_of_the_page(head: bytes) -> bool:
    """Whether a PNG begins so, and its pixels are no more than were asked for.

    A few bytes can say that they unpack to gigabytes (PNG specification, section 11.2.1).
    """
    if len(head) < _PNG_HEAD.size:
        return False
    signature, length, kind, width, height = _PNG_HEAD.unpack(head)
    is_png = (signature, length, kind) == (_PNG_SIGNATURE, 13, b"IHDR")
    return is_png and 0 < width <= WIDTH and 0 < height <= HEIGHT


def _failed(what: str, said: str) -> SandboxFailed:
    return SandboxFailed(f"{what} {said[-_SHOWN_CHARACTERS:]}".strip())
