"""The relay before a dev server on the loopback interface: what passes, and who is turned away."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from forge_lsp.sandbox.connector import open_session
from forge_lsp.sandbox.relay import Relay
from forge_lsp.sandbox.reporter.reports import MAX_REPORT_BYTES

ID = "sb_0123456789abcdef0123"
PAGE = "<!doctype html><html><head><title>A page</title></head></html>"
TAG = b'<head><script src="/__forge/reporter.js"></script><title>'
Answer = tuple[int, Mapping[str, str], bytes]


class DevServerStandIn:
    """Answers what a test tells it to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.content_type = "text/html"
        self.status = 200
        self.gate = asyncio.Event()
        self.let_through = asyncio.Event()

    async def connect(self) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self.port))
        except BaseException:
            made.close()
            raise
        return made

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        if request.headers.get("Upgrade") == "websocket":
            return await self._echo(request)
        if request.path == "/slow":
            return await self._two_halves(request)
        if request.path == "/broken":
            return await self._break_off(request)
        self.bodies.append(await request.read())
        if request.path == "/odd":
            assert request.transport is not None
            request.transport.write(
                b"HTTP/1.1 200 OK\r\nX-Odd: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
            )
            request.transport.close()
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if request.path.endswith(".html"):
            page = web.Response(text=PAGE, content_type=self.content_type, headers=self.headers)
            page.set_status(self.status)
            return page
        return web.Response(text="hello", headers=self.headers)

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        echo = web.WebSocketResponse(protocols=["vite-hmr"])
        await echo.prepare(request)
        async for message in echo:
            if message.data == "bye":
                break
            await (
                echo.send_str(message.data)
                if message.type is aiohttp.WSMsgType.TEXT
                else echo.send_bytes(message.data)
            )
        await echo.close()
        return echo

    async def _two_halves(self, request: web.BaseRequest) -> web.StreamResponse:
        halves = web.StreamResponse()
        await halves.prepare(request)
        await halves.write(b"first")
        await self.gate.wait()
        await halves.write(b"second")
        return halves

    async def _break_off(self, request: web.BaseRequest) -> web.StreamResponse:
        broken = web.StreamResponse(headers={"Content-Length": "1000"})
        await broken.prepare(request)
        await broken.write(b"first")
        assert request.transport is not None
        request.transport.abort()
        return broken


@pytest.fixture
async def inside() -> AsyncIterator[DevServerStandIn]:
    stand_in = DevServerStandIn()
    runner = web.ServerRunner(web.Server(stand_in.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.port = runner.addresses[0][1]
    yield stand_in
    await runner.cleanup()


@pytest.fixture
async def relay(inside: DevServerStandIn) -> AsyncIterator[Relay]:
    session = open_session(inside.connect)
    started = await Relay.start(ID, session, inside.let_through.set)
    yield started
    await started.close()
    await session.close()


def host(relay: Relay) -> str:
    return urlsplit(relay.url).netloc


def origin(relay: Relay) -> str:
    return f"http://{host(relay)}"


def address(relay: Relay, path: str = "/") -> str:
    return f"http://127.0.0.1:{urlsplit(relay.url).port}{path}"


async def ask(
    relay: Relay,
    method: str = "GET",
    path: str = "/",
    body: bytes | None = None,
    **headers: str,
) -> Answer:
    named = {"Host": host(relay)} | {each.replace("_", "-"): headers[each] for each in headers}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(
            method, address(relay, path), headers=named, data=body, allow_redirects=False
        ) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def raw(relay: Relay, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(relay.url).port)
    try:
        writer.write(request.encode())
        return await asyncio.wait_for(reader.read(65536), 5)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_url_is_a_name_of_its_own_under_localhost(relay: Relay) -> None:
    port = urlsplit(relay.url).port
    assert relay.url == f"http://{ID}.localhost:{port}/"


async def test_a_page_passes_and_the_dev_server_sees_only_itself(
    relay: Relay, inside: DevServerStandIn
) -> None:
    status, _, body = await ask(relay, Origin=origin(relay), Accept="text/html")
    assert (status, body) == (200, b"hello")
    assert inside.asked[0].headers["Host"] == "localhost:5173"
    assert inside.asked[0].headers["Origin"] == "http://localhost:5173"
    assert inside.asked[0].headers["Accept"] == "text/html"


async def test_only_a_request_that_is_let_through_counts_as_use(
    relay: Relay, inside: DevServerStandIn
) -> None:
    await ask(relay, Origin="http://evil.test")
    assert not inside.let_through.is_set()
    await ask(relay)
    assert inside.let_through.is_set()


async def test_the_path_arrives_exactly_as_it_was_asked_for(
    relay: Relay, inside: DevServerStandIn
) -> None:
    path = "/@id/__x00__a%2Fb//c?t=1&v=%20&import"
    answer = await raw(
        relay, f"GET {path} HTTP/1.1\r\nHost: {host(relay)}\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert inside.asked[0].raw_path == path


async def test_a_body_passes_in_both_ways_of_framing_it(
    relay: Relay, inside: DevServerStandIn
) -> None:
    await ask(relay, "POST", body=b"x" * 300_000, Origin=origin(relay))
    assert inside.bodies == [b"x" * 300_000]
    assert inside.asked[0].headers["Content-Length"] == "300000"

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with (
        aiohttp.ClientSession() as session,
        session.post(
            address(relay),
            data=pieces(),
            headers={"Host": host(relay), "Origin": origin(relay)},
        ) as answer,
    ):
        assert answer.status == 200
    assert inside.bodies[1] == b"onetwo"


async def test_an_answer_streams(relay: Relay, inside: DevServerStandIn) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(address(relay, "/slow"), headers={"Host": host(relay)}) as answer,
    ):
        assert await asyncio.wait_for(answer.content.readany(), 5) == b"first"
        inside.gate.set()
        assert await asyncio.wait_for(answer.content.read(), 5) == b"second"


async def test_a_redirect_is_the_browsers_to_follow(relay: Relay) -> None:
    status, headers, _ = await ask(relay, path="/moved")
    assert (status, headers["Location"]) == (302, "/elsewhere")


async def test_compressed_answers_stay_compressed(relay: Relay, inside: DevServerStandIn) -> None:
    inside.headers = {"Content-Encoding": "gzip"}
    _, headers, body = await ask(relay, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert body == b"hello"


async def test_headers_of_one_connection_are_not_passed_on(
    relay: Relay, inside: DevServerStandIn
) -> None:
    inside.headers = {"Keep-Alive": "timeout=5", "X-Kept": "yes"}
    _, headers, _ = await ask(relay, Connection="x-dropped", X_Dropped="1", TE="trailers")
    assert "X-Dropped" not in inside.asked[0].headers
    assert "TE" not in inside.asked[0].headers
    assert headers["X-Kept"] == "yes"
    assert "Keep-Alive" not in headers


async def test_header_lines_that_no_answer_may_hold_harm_nobody(relay: Relay) -> None:
    assert (await ask(relay, path="/odd"))[0] in (200, 503)
    assert (await ask(relay))[0] == 200


async def test_an_answer_that_breaks_off_does_not_look_whole(relay: Relay) -> None:
    with pytest.raises(aiohttp.ClientError):
        await ask(relay, path="/broken")


@pytest.mark.parametrize(
    "name",
    [
        "localhost:{port}",
        "127.0.0.1:{port}",
        "evil.test:{port}",
        "evil.test",
        f"{ID}.localhost",
        f"{ID}.localhost:1",
        f"{ID}.localhost.evil.test:{{port}}",
        f"x.{ID}.localhost:{{port}}",
        f"{ID}.localhost:{{port}}.",
        f"{ID.upper()}.localhost:{{port}}",
        "sb_ffffffffffffffffffff.localhost:{port}",
        "",
    ],
)
async def test_any_other_host_is_misdirected(
    relay: Relay, inside: DevServerStandIn, name: str
) -> None:
    named = name.format(port=urlsplit(relay.url).port)
    answer = await raw(relay, f"GET / HTTP/1.1\r\nHost: {named}\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421"), answer
    assert not inside.asked


async def test_two_hosts_or_none_are_refused(relay: Relay, inside: DevServerStandIn) -> None:
    for hosts in ("", f"Host: {host(relay)}\r\nHost: evil.test\r\n"):
        answer = await raw(relay, f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")
        assert answer.split()[1] in (b"400", b"421")
    assert not inside.asked


async def test_an_absolute_target_goes_nowhere(relay: Relay, inside: DevServerStandIn) -> None:
    answer = await raw(
        relay,
        f"GET http://evil.test/x HTTP/1.1\r\nHost: {host(relay)}\r\nConnection: close\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert not inside.asked


FOREIGN = [
    "http://evil.test",
    "null",
    "http://localhost:5173",
    f"http://{ID}.localhost",
    "https://",
]


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_another_origin_gets_nothing(
    relay: Relay, inside: DevServerStandIn, method: str, foreign: str
) -> None:
    status, headers, _ = await ask(relay, method, Origin=foreign)
    assert status == 403
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert not inside.asked


async def test_a_change_without_an_origin_is_refused(
    relay: Relay, inside: DevServerStandIn
) -> None:
    assert (await ask(relay, "POST", body=b"x"))[0] == 403
    assert not inside.asked


async def test_two_origins_are_refused(relay: Relay, inside: DevServerStandIn) -> None:
    origins = f"Origin: {origin(relay)}\r\nOrigin: http://evil.test\r\n"
    request = f"GET / HTTP/1.1\r\nHost: {host(relay)}\r\n{origins}Connection: close\r\n\r\n"
    assert (await raw(relay, request)).startswith(b"HTTP/1.1 403")
    assert not inside.asked


async def test_permissions_for_other_origins_are_taken_out(
    relay: Relay, inside: DevServerStandIn
) -> None:
    inside.headers = {
        "Access-Control-Allow-Origin": "*",
        "access-control-allow-credentials": "true",
    }
    _, headers, _ = await ask(relay)
    assert not [name for name in headers if name.lower().startswith("access-control-")]


async def test_a_websocket_passes_with_its_protocol(relay: Relay) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            address(relay, "/?token=x"),
            protocols=["vite-hmr"],
            headers={"Host": host(relay), "Origin": origin(relay)},
        ) as websocket,
    ):
        assert websocket.protocol == "vite-hmr"
        await websocket.send_str("text")
        assert await websocket.receive_str(timeout=5) == "text"
        await websocket.send_bytes(b"\x00bytes")
        assert await websocket.receive_bytes(timeout=5) == b"\x00bytes"
        await websocket.send_str("bye")
        assert (await websocket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("foreign", [*FOREIGN, None])
async def test_a_websocket_of_another_origin_or_of_none_is_refused(
    relay: Relay, inside: DevServerStandIn, foreign: str | None
) -> None:
    headers = {"Host": host(relay)} | ({"Origin": foreign} if foreign else {})
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(address(relay), headers=headers, protocols=["vite-hmr"])
    assert refused.value.status == 403
    assert not inside.asked


@pytest.mark.parametrize(
    "request_head",
    [
        "GET / HTTP/1.1\r\nHost: {host}\r\nX-Huge: " + "x" * 100_000 + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\n" + "X-Many: y\r\n" * 20_000 + "\r\n",
        "GET /" + "x" * 100_000 + " HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -5\r\n\r\n",
        "\x00\x01\x02\r\n\r\n",
    ],
)
async def test_a_head_that_is_huge_or_broken_is_refused(
    relay: Relay, inside: DevServerStandIn, request_head: str
) -> None:
    try:
        answer = await raw(relay, request_head.replace("{host}", host(relay)))
    except ConnectionResetError:
        answer = b""
    assert not answer or answer.split()[1] == b"400"
    assert not inside.asked
    assert (await ask(relay))[0] == 200


async def test_where_no_dev_server_answers_a_page_says_so_and_tries_again() -> None:
    async def refuse() -> socket.socket:
        raise ConnectionRefusedError

    session = open_session(refuse)
    relay = await Relay.start(ID, session, lambda: None)
    try:
        status, headers, body = await ask(relay, Accept="text/html")
        assert status == 503
        assert headers["Content-Type"].startswith("text/html")
        assert b'http-equiv="refresh"' in body
        status, headers, body = await ask(relay, Accept="*/*")
        assert (status, b"<" in body) == (503, False)
    finally:
        await relay.close()
        await session.close()


async def test_closing_cuts_off_what_is_under_way(relay: Relay) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            address(relay), headers={"Host": host(relay), "Origin": origin(relay)}
        ) as websocket,
    ):
        async with asyncio.timeout(1):
            await relay.close()
        ended = await websocket.receive(timeout=5)
        assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_a_page_is_given_the_reporter(relay: Relay, inside: DevServerStandIn) -> None:
    status, headers, body = await ask(
        relay, path="/page.html", Accept="text/html", Accept_Encoding="gzip, br"
    )
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert TAG in body
    assert len(body) == len(PAGE) + len(TAG) - len(b"<head><title>")
    assert inside.asked[0].headers["Accept-Encoding"] == "identity"
    inside.status = 500
    assert TAG in (await ask(relay, path="/page.html"))[2]


@pytest.mark.parametrize(
    ("content_type", "headers", "destination", "method"),
    [
        ("text/plain", {}, "document", "GET"),
        ("application/xhtml+xml", {}, "document", "GET"),
        ("text/html", {"Content-Encoding": "gzip"}, "document", "GET"),
        ("text/html", {}, "empty", "GET"),
        ("text/html", {}, "document", "POST"),
    ],
)
async def test_what_is_no_page_passes_as_it_is(
    relay: Relay,
    inside: DevServerStandIn,
    content_type: str,
    headers: dict[str, str],
    destination: str,
    method: str,
) -> None:
    inside.content_type = content_type
    inside.headers = headers
    _, answered, body = await ask(
        relay, method, "/page.html", Origin=origin(relay), Sec_Fetch_Dest=destination
    )
    assert body == PAGE.encode()
    assert answered["Content-Length"] == str(len(PAGE))


async def test_the_reporter_is_the_relays_own(relay: Relay, inside: DevServerStandIn) -> None:
    status, headers, body = await ask(relay, path="/__forge/reporter.js")
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert b"unhandledrejection" in body
    for path in ("/__forge/", "/__forge/other", "/__forge/happened"):
        assert (await ask(relay, path=path))[0] == 404
    assert not inside.asked
    assert not inside.let_through.is_set()


REPORT = "/__forge/happened"
JSON = {"Content_Type": "application/json"}


async def test_a_report_of_its_own_page_is_taken(relay: Relay, inside: DevServerStandIn) -> None:
    reports: list[bytes] = []
    assert (await ask(relay, "POST", REPORT, b"{}", Origin=origin(relay), **JSON))[0] == 204
    relay.report_to(reports.append)
    assert (await ask(relay, "POST", REPORT, b"{}", Origin=origin(relay), **JSON))[0] == 204
    assert reports == [b"{}"]
    assert not inside.asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.test", **JSON}, 403),
        ({"Origin": "null", **JSON}, 403),
        (JSON, 403),
        ({"Origin": "{own}", "Content_Type": "text/plain"}, 415),
        ({"Origin": "{own}"}, 415),
    ],
)
async def test_a_report_of_anybody_else_is_refused(
    relay: Relay, headers: dict[str, str], status: int
) -> None:
    reports: list[bytes] = []
    relay.report_to(reports.append)
    named = {each: value.replace("{own}", origin(relay)) for each, value in headers.items()}
    assert (await ask(relay, "POST", REPORT, b"{}", **named))[0] == status
    assert reports == []


async def test_reports_are_bounded_in_size_and_in_number(relay: Relay) -> None:
    reports: list[bytes] = []
    relay.report_to(reports.append)
    large = b"x" * (MAX_REPORT_BYTES + 1)
    assert (await ask(relay, "POST", REPORT, large, Origin=origin(relay), **JSON))[0] == 413
    answers = await asyncio.gather(
        *(ask(relay, "POST", REPORT, b"{}", Origin=origin(relay), **JSON) for _ in range(300))
    )
    assert {answer[0] for answer in answers} == {204, 429}
    assert len(reports) < 300
    assert all(len(each) <= MAX_REPORT_BYTES for each in reports)
