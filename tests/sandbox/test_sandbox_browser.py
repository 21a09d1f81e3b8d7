"""Pictures by a confined browser: of good pages, and of pages that attack it."""

import asyncio
import contextlib
import os
import socket
import struct
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from forge_lsp.errors import BrowserMissing, SandboxFailed
from forge_lsp.sandbox import browser as browser_module
from forge_lsp.sandbox.browser import HEIGHT, PORT, WIDTH, Browser
from forge_lsp.sandbox.connector import open_session
from forge_lsp.sandbox.isolation.confinement import Confinement
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.programs import find_browser
from forge_lsp.sandbox.relay import Relay

ID = "sb_0123456789abcdef0123"
LOOKED_AT_ROWS = 80
URL = f"http://{ID}.localhost:{PORT}/"

pytestmark = pytest.mark.sandbox


class PageServer:
    """Serves one page at `/`, takes what it posts to `/told`, and never answers `/hang`."""

    def __init__(self) -> None:
        self.page = ""
        self.asked: list[str] = []
        self.told: list[Any] = []
        self.was_asked = asyncio.Event()
        self.listeners: list[socket.socket] = []
        self._session = open_session(self._connect)
        self._port = 0

    async def open_relay(self, listener: socket.socket) -> Relay:
        self.listeners.append(listener)
        return await Relay.start(ID, self._session, lambda: None, listener)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        self.was_asked.set()
        if request.path == "/hang":
            await asyncio.Event().wait()
        if request.path == "/told":
            self.told.append(await request.json())
        if request.path in ("/", "/again"):
            return web.Response(text=self.page, content_type="text/html")
        return web.Response(status=200 if request.path == "/told" else 404)

    async def _connect(self) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self._port))
        return made

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator["PageServer"]:
        runner = web.ServerRunner(
            web.Server(self.answer, handler_cancellation=True), shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await self._session.close()
            await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[PageServer]:
    async with PageServer().serving() as serving:
        yield serving


@pytest.fixture
async def confinement() -> Confinement:
    made = Confinement()
    report = await made.report()
    try:
        find_browser(Identity.choose())
        reason = "" if report.tier == "full" else f"{report.detail} {report.remedy}"
    except BrowserMissing as error:
        reason = error.for_people()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return made


@pytest.fixture
def root(open_folder: Path) -> Iterator[Path]:
    """All that was made in it and started for it must be gone in the end, whatever a test did."""
    yield open_folder
    assert entries(open_folder) == 0
    assert not browsers()


@pytest.fixture
def browser(confinement: Confinement, root: Path) -> Browser:
    return Browser(confinement, root, timeout_s=60, loading_timeout_ms=50_000)


def entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def browsers() -> list[int]:
    """The processes that show our page, in whatever sandbox."""
    return [
        int(process.name) for process in Path("/proc").glob("[0-9]*") if shows_our_page(process)
    ]


def shows_our_page(process: Path) -> bool:
    try:
        return URL.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


def pixels(picture: bytes) -> list[list[tuple[int, ...]]]:
    """The first rows of an 8-bit RGB or RGBA picture (PNG specification, section 9)."""
    place, packed, channels = 8, b"", 0
    while place < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, place)
        body = picture[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, _, colours = struct.unpack_from(">IIBB", body)
            assert (width, height) == (WIDTH, HEIGHT)
            channels = {2: 3, 6: 4}[colours]
        packed += body if kind == b"IDAT" else b""
        place += length + 12
    raw, stride = zlib.decompress(packed), WIDTH * channels
    assert len(raw) == HEIGHT * (stride + 1)
    above, rows = bytes(stride), []
    for start in range(0, LOOKED_AT_ROWS * (stride + 1), stride + 1):
        above = unfiltered(raw[start], raw[start + 1 : start + 1 + stride], above, channels)
        rows.append([tuple(above[at : at + 3]) for at in range(0, stride, channels)])
    return rows


def unfiltered(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    if kind == 0:
        return line
    out = bytearray(line)
    for at in range(len(out)):
        left = out[at - channels] if at >= channels else 0
        corner = above[at - channels] if at >= channels else 0
        guess = left + above[at] - corner
        nearest = min((left, above[at], corner), key=lambda each: abs(guess - each))
        predicted = (0, left, above[at], (left + above[at]) // 2, nearest)[kind]
        out[at] = (out[at] + predicted) & 0xFF
    return bytes(out)


async def test_the_picture_shows_what_a_page_draws_late(
    browser: Browser, server: PageServer
) -> None:
    server.page = """<!doctype html><body style="margin:0"><script>
        setTimeout(() => document.body.style.background = "rgb(255, 0, 0)", 3000)</script>"""
    rows = pixels(await browser.picture(ID, server.open_relay))
    assert {pixel for row in rows for pixel in row} == {(255, 0, 0)}


async def test_text_is_drawn_with_the_fonts_of_the_machine(
    browser: Browser, server: PageServer
) -> None:
    server.page = '<!doctype html><h1 style="font:80px/1 sans-serif;margin:0">MMMMMMMM</h1>'
    rows = pixels(await browser.picture(ID, server.open_relay))
    dark = sum(pixel == (0, 0, 0) for row in rows for pixel in row)
    assert 0.05 < dark / (WIDTH * LOOKED_AT_ROWS) < 0.5


async def test_graphics_that_need_a_card_are_drawn_without_one(
    browser: Browser, server: PageServer
) -> None:
    server.page = f"""<!doctype html><body style="margin:0">
        <canvas id="c" width="{WIDTH}" height="{HEIGHT}"></canvas><script>
        const gl = c.getContext("webgl", {{preserveDrawingBuffer: true}});
        gl.clearColor(0, 0, 1, 1); gl.clear(gl.COLOR_BUFFER_BIT)</script>"""
    rows = pixels(await browser.picture(ID, server.open_relay))
    assert rows[-1][WIDTH // 2] == (0, 0, 255)


async def test_what_a_page_tells_its_own_origin_comes_through_the_relay(
    browser: Browser, server: PageServer
) -> None:
    server.page = """<!doctype html><script>
        onerror = message => { fetch("/told", {method: "POST", body: JSON.stringify(message)}) };
        setTimeout(() => { throw new Error("from the page") })</script>"""
    await browser.picture(ID, server.open_relay)
    assert server.told == ["Uncaught Error: from the page"]


INTRUDER = """<script type="module">
    const told = {}, tries = {
        own: "/",
        loopback: `http://127.0.0.1:${port}/`,
        name: `http://localhost:${port}/`,
        other: `http://other.localhost:${port}/`,
        metadata: "http://169.254.169.254/",
        devtools: "http://127.0.0.1:9222/json",
        file: "file:///etc/passwd",
    };
    for (const [name, url] of Object.entries(tries))
        told[name] = await fetch(url, {mode: "no-cors"}).then(() => "yes", () => "no");
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.onopen = () => { told.socket = "yes" };
    socket.onerror = () => { told.socket = "no" };
    // The page's clock, which stands still during a fetch, would else run out before the socket
    // has an answer.
    while (!told.socket) {
        await new Promise(resolve => setTimeout(resolve, 1));
        await fetch("/");
    }
    await fetch("/told", {method: "POST", body: JSON.stringify(told)});
</script>"""


async def test_a_page_reaches_nothing_but_its_own_origin(
    browser: Browser, server: PageServer
) -> None:
    reached: list[bytes] = []

    async def notice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(notice, "127.0.0.1", 0) as canary:
        port = canary.sockets[0].getsockname()[1]
        server.page = f"""<!doctype html><script>const port = {port};</script>{INTRUDER}"""
        await browser.picture(ID, server.open_relay)
    assert server.told == [
        {
            "own": "yes",
            "loopback": "no",
            "name": "no",
            "other": "no",
            "metadata": "no",
            "devtools": "no",
            "file": "no",
            "socket": "no",
        }
    ]
    assert reached == []


async def test_a_name_that_is_not_the_previews_is_turned_away_by_the_relay(
    browser: Browser, server: PageServer
) -> None:
    server.page = f"""<!doctype html><iframe src="http://sb_other.localhost:{PORT}/again"></iframe>
        <iframe src="file:///etc/passwd"></iframe><iframe src="file:///usr/"></iframe>"""
    await browser.picture(ID, server.open_relay)
    assert "/" in server.asked
    assert "/again" not in server.asked


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "<script>while (true);</script>",
        "<script>alert('look at me')</script>",
    ],
    ids=["loop", "dialog"],
)
async def test_a_page_that_keeps_the_browser_busy_is_given_up(
    page: str, confinement: Confinement, root: Path, server: PageServer
) -> None:
    server.page = page
    browser = Browser(confinement, root, timeout_s=6)
    before = time.monotonic()
    with pytest.raises(SandboxFailed, match="within 6 s"):
        await browser.picture(ID, server.open_relay)
    assert time.monotonic() - before < 30
    assert "/" in server.asked


async def test_a_page_that_takes_memory_without_end_is_ended(
    browser: Browser, server: PageServer
) -> None:
    server.page = """<script>const kept = [];
        for (;;) kept.push(new Uint8Array(1 << 24).fill(7))</script>"""
    with pytest.raises(SandboxFailed, match="memory"):
        await browser.picture(ID, server.open_relay)


async def test_a_page_opens_no_other_windows(browser: Browser, server: PageServer) -> None:
    server.page = """<body><script>if (location.pathname === "/")
        for (let i = 0; i < 1000; i++) open("/again?" + i, "_blank")</script>"""
    assert await browser.picture(ID, server.open_relay)
    assert "/again" not in server.asked


async def test_a_page_that_never_finishes_is_shown_as_it_is(
    confinement: Confinement, root: Path, server: PageServer
) -> None:
    browser = Browser(confinement, root, timeout_s=60, loading_timeout_ms=2_000)
    server.page = """<!doctype html><body style="background:rgb(0, 255, 0)"><img src="/hang">"""
    rows = pixels(await browser.picture(ID, server.open_relay))
    assert "/hang" in server.asked
    assert rows[-1][WIDTH // 2] == (0, 255, 0)


async def test_what_a_page_downloads_is_not_taken_for_its_picture(
    browser: Browser, server: PageServer
) -> None:
    server.page = """<!doctype html><body style="background:rgb(0, 255, 0)">
        <a id="link" href="data:image/png,forged" download="page.png"></a>
        <script>link.click()</script>"""
    rows = pixels(await browser.picture(ID, server.open_relay))
    assert rows[-1][WIDTH // 2] == (0, 255, 0)


async def test_pictures_are_taken_one_at_a_time(
    browser: Browser, server: PageServer, root: Path
) -> None:
    folders: list[int] = []

    async def open_relay(listener: socket.socket) -> Relay:
        folders.append(entries(root))
        return await server.open_relay(listener)

    server.page = "<p>hello</p>"
    assert all(await asyncio.gather(*(browser.picture(ID, open_relay) for _ in range(3))))
    assert folders == [1, 1, 1]


async def test_whoever_stops_waiting_ends_the_browser(browser: Browser, server: PageServer) -> None:
    server.page = "<img src=/hang>"
    picture = asyncio.create_task(browser.picture(ID, server.open_relay))
    async with asyncio.timeout(30):
        await server.was_asked.wait()
    assert browsers()
    picture.cancel()
    await asyncio.wait({picture})
    assert picture.cancelled()
    assert server.listeners[0].fileno() == -1


async def test_a_relay_that_can_not_be_opened_leaves_nothing_behind(browser: Browser) -> None:
    offered: list[socket.socket] = []

    async def refuse(listener: socket.socket) -> Relay:
        offered.append(listener)
        raise SandboxFailed("no relay today")

    with pytest.raises(SandboxFailed, match="no relay today"):
        await browser.picture(ID, refuse)
    assert offered[0].fileno() == -1


async def test_a_folder_that_can_not_be_made_is_told(
    confinement: Confinement, tmp_path: Path, server: PageServer
) -> None:
    with pytest.raises(SandboxFailed, match="can't be written"):
        await Browser(confinement, tmp_path / "missing").picture(ID, server.open_relay)


def png(width: int = WIDTH, height: int = HEIGHT, size: int = 0) -> bytes:
    head = struct.pack(">8sI4sII", b"\x89PNG\r\n\x1a\n", 13, b"IHDR", width, height)
    return head + bytes(size) + b"\0\0\0\0IEND\xaeB`\x82"


def link_to_passwd(place: Path) -> None:
    place.symlink_to("/etc/passwd")


def plant(content: bytes) -> Callable[[Path], object]:
    return lambda place: place.write_bytes(content)


@pytest.mark.parametrize(
    "put",
    [
        link_to_passwd,
        os.mkfifo,
        Path.mkdir,
        plant(b""),
        plant(b"root:x:0:0"),
        plant(png()[:-1]),
        plant(png(width=1 << 31, height=1 << 31)),
        plant(png(width=0)),
        plant(png(size=browser_module.MAX_PICTURE_BYTES)),
    ],
    ids=[
        *("symlink", "fifo", "folder", "empty", "text", "cut-off", "bomb", "flat", "too-large"),
    ],
)
def test_what_a_browser_that_was_taken_over_leaves_is_no_picture(
    put: Callable[[Path], object], tmp_path: Path
) -> None:
    put(tmp_path / "page.png")
    with pytest.raises(SandboxFailed):
        browser_module._read_picture(tmp_path, "")


def test_a_picture_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(png(size=100))
    assert browser_module._read_picture(tmp_path, "") == png(size=100)
