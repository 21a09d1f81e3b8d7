"""Attacks over bare sockets: none breaks the API, hangs it, or gets more done than it says."""

import asyncio
import gzip
import io
import resource
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from http_raw import JSON, Heard, connected, head, host, say
from http_serving import Api, payloads, serving, settings, until

from forge_lsp.runs import Run

KILL = "POST /api/sandbox/kill"
CREATE = "POST /api/sandbox/create"
STATUS = "GET /api/sandbox/status"
GENERATE = "POST /api/generate/stream"
PROMPT = b'{"prompt": "Create a React counter component"}'
CLOSE = "Connection: close"
CROWD = 500


@pytest.fixture
async def api(api: Api) -> AsyncIterator[Api]:
    """With one sandbox; whatever was done to the server, it answers afterwards."""
    await api.post("/api/sandbox/create")
    yield api
    assert (await api.get("/api/health"))[0] == 200


# How long a request is, and where the next begins


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 0\r\nContent-Length: {n}",
        "Content-Length: {n}\r\nContent-Length: {n}",
        "Content-Length: {n}, {n}",
        "Content-Length: +{n}",
        "Content-Length: -1",
        "Content-Length: 0x10",
        "Content-Length: 1_0",
        "Content-Length:",
        "Content-Length: 99999999999999999999999999",
        "Content-Length : {n}",
        "Content-Length\x00: {n}",
        "Content-Length: {n}\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: {n}",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:\r\n chunked",
        "X-A: 1\r\n folded\r\nContent-Length: 0",
        "X-A: 1\nContent-Length: 0",
        "X-A: 1\rContent-Length: 0",
        "X-A: \x00\r\nContent-Length: 0",
    ],
)
async def test_a_request_of_doubtful_length_is_refused_with_what_stands_behind_it(
    api: Api, framing: str
) -> None:
    smuggled = b"0\r\n\r\n" + head(api, CREATE)
    heard = await say(api, head(api, KILL, JSON, framing.format(n=len(smuggled))) + smuggled)
    await _is_refused_and_nothing_was_done(api, heard)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}more\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\nzz\r\n\r\n",
        b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_broken_chunks_are_refused_with_what_stands_behind_them(
    api: Api, chunks: bytes
) -> None:
    asked = head(api, KILL, JSON, "Transfer-Encoding: chunked") + chunks + head(api, CREATE)
    await _is_refused_and_nothing_was_done(api, await say(api, asked))


async def test_lines_that_end_in_a_bare_line_feed_are_refused(api: Api) -> None:
    bare = head(api, KILL, JSON, "Content-Length: 0").replace(b"\r\n", b"\n")
    await _is_refused_and_nothing_was_done(api, await say(api, bare))


async def test_a_chunked_request_of_http_1_0_gets_nothing_done_behind_it(api: Api) -> None:
    asked = head(api, STATUS, "Connection: keep-alive", "Transfer-Encoding: chunked")
    old = asked.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + head(api, CREATE, CLOSE)
    await _is_refused_and_nothing_was_done(api, await say(api, old))


async def _is_refused_and_nothing_was_done(api: Api, heard: Heard) -> None:
    assert heard.statuses
    assert set(heard.statuses) == {400}
    assert len(api.provider.made) == 1
    assert await api.provider.made[0].is_alive()


# What is packed


@pytest.mark.parametrize(
    "packed",
    [b'{"sandboxId": "sb_1"}', gzip.compress(b'{"sandboxId": "x"}')[:10], b"\x1f\x8b", b""],
    ids=["not packed", "cut off", "its beginning", "nothing"],
)
@pytest.mark.parametrize("key", [[], ["Idempotency-Key: k"]], ids=["", "with a key"])
async def test_a_body_that_does_not_unpack_never_stands_for_all_sandboxes(
    api: Api, packed: bytes, key: list[str]
) -> None:
    packing = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}", CLOSE, *key)
    heard = await say(api, head(api, KILL, JSON, *packing) + packed)
    assert heard.statuses == [400]
    assert b'"error":"Invalid JSON body"' in heard.data
    assert await api.provider.made[0].is_alive()


async def test_a_body_that_is_packed_well_is_taken(api: Api) -> None:
    packed = gzip.compress(b'{"sandboxId": "sb_1"}')
    packing = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}", CLOSE)
    assert (await say(api, head(api, KILL, JSON, *packing) + packed)).statuses == [200]
    assert not await api.provider.made[0].is_alive()


# Whom it is meant for


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/api/health",
        "http://evil.example:{port}/api/health",
        "http://{host}@evil.example/api/health",
        "http://127.0.0.1.evil.example:{port}/api/health",
        "https://127.0.0.1/api/health",
    ],
)
async def test_a_whole_url_of_another_host_is_refused(api: Api, target: str) -> None:
    url = target.format(host=host(api), port=api.port)
    assert (await say(api, head(api, f"GET {url}", CLOSE))).statuses == [421]


async def test_a_whole_url_of_its_own_is_taken_unless_host_says_otherwise(api: Api) -> None:
    asked = head(api, f"GET http://{host(api)}/api/health", CLOSE)
    assert (await say(api, asked)).statuses == [200]
    foreign = asked.replace(f"Host: {host(api)}".encode(), b"Host: evil.example")
    assert (await say(api, foreign)).statuses == [421]


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "*", "api/health", "http://[::1/", "http://[zz]/", "http://a:99999999/"],
)
async def test_a_target_that_is_none_is_refused(api: Api, target: str) -> None:
    heard = await say(api, head(api, f"GET {target}", CLOSE))
    assert heard.statuses
    assert set(heard.statuses) == {400}


@pytest.mark.parametrize("more", ["Host: evil.example", "Host: {host}"])
async def test_two_hosts_are_refused(api: Api, more: str) -> None:
    heard = await say(api, head(api, STATUS, more.format(host=host(api)), CLOSE))
    assert heard.statuses == [400]


async def test_no_host_is_refused(api: Api) -> None:
    assert (await say(api, b"GET /api/health HTTP/1.1\r\n\r\n")).statuses == [400]
    assert (await say(api, b"GET /api/health HTTP/1.0\r\n\r\n")).statuses == [421]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:{port}"])
async def test_a_preflight_gets_no_leave(api: Api, origin: str) -> None:
    heard = await say(
        api,
        head(
            api,
            "OPTIONS /api/generate/stream",
            f"Origin: {origin.format(port=api.port)}",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: authorization,content-type",
            CLOSE,
            token="",
        ),
    )
    assert heard.statuses in ([401], [403])
    assert not [name for name in heard.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", ["null", "https://evil.example"])
async def test_a_read_for_a_foreign_page_is_refused_and_gives_it_nothing(
    api: Api, origin: str
) -> None:
    heard = await say(api, head(api, STATUS, f"Origin: {origin}", CLOSE))
    assert heard.statuses == [403]
    assert not [name for name in heard.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(("path", "status"), [("/api/sandbox/status", 401), ("/api/health", 200)])
async def test_there_is_no_websocket_to_be_had(api: Api, path: str, status: int) -> None:
    upgrade = (
        "Connection: Upgrade, close",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    asked = head(api, f"GET {path}", *upgrade, token="") + head(api, CREATE)
    heard = await say(api, asked, shut=True)
    assert heard.statuses[:1] == [status]
    assert len(api.provider.made) == 1


@pytest.mark.parametrize(
    ("method", "status"),
    [
        *((each, 405) for each in ("TRACE", "DELETE", "PUT", "PATCH", "PROPFIND", "QUERY")),
        *((each, 400) for each in ("FROB", "get", "G@T", "\x00", "A" * 100_000)),
        ("CONNECT", 404),
    ],
    ids=lambda value: str(value)[:9].encode("unicode_escape").decode(),
)
async def test_methods_that_nobody_knows_are_refused(api: Api, method: str, status: int) -> None:
    heard = await say(api, head(api, f"{method} /api/sandbox/status", CLOSE))
    assert heard.statuses
    assert set(heard.statuses) == {status}


async def test_what_is_expected_and_not_known_is_refused_with_an_id(api: Api) -> None:
    for line in (KILL, "POST /api/nothing"):
        asked = head(api, line, "Expect: miracles", "Content-Length: 0", CLOSE)
        heard = await say(api, asked)
        assert heard.statuses == [417]
        assert heard.headers["x-request-id"].startswith("req_")
    assert await api.provider.made[0].is_alive()


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "HTCPCP/1.0", ""])
async def test_another_protocol_is_refused(api: Api, version: str) -> None:
    asked = head(api, KILL, CLOSE).replace(b"HTTP/1.1", version.encode())
    heard = await say(api, asked, shut=True)
    assert set(heard.statuses) <= {400, 421}
    assert await api.provider.made[0].is_alive()


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("160301020001000100fc0303") + b"\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\xff" * 10_000,
        b"\r\n" * 10_000,
        b"",
    ],
    ids=["TLS", "HTTP/2", "noise", "empty lines", "nothing"],
)
async def test_what_is_no_request_is_let_go(api: Api, data: bytes) -> None:
    assert set((await say(api, data, shut=True)).statuses) <= {400}


# How much of it


@pytest.mark.parametrize(
    "more",
    [
        f"X-A: {'a' * 1_000_000}",
        f"{'a' * 100_000}: 1",
        "\r\n".join(f"X-{number}: 1" for number in range(10_000)),
        "\r\n".join(["X-A: 1"] * 10_000),
        f"Cookie: {'a=1;' * 100_000}",
    ],
    ids=["a value", "a name", "names", "one name", "cookies"],
)
async def test_too_many_headers_are_refused(api: Api, more: str) -> None:
    # The answer is lost where the server hangs up on what is still being sent.
    assert (await say(api, head(api, STATUS, more, CLOSE))).statuses in ([400], [])


async def test_a_header_without_end_is_cut_off(api: Api) -> None:
    async with connected(api) as (_, writer), asyncio.timeout(20):
        writer.write(head(api, STATUS)[:-2] + b"X-A: ")
        with pytest.raises(ConnectionError):
            await _write_without_end(writer)


async def _write_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"a" * 65536)
        await writer.drain()


async def test_a_target_without_end_is_refused(api: Api) -> None:
    heard = await say(api, head(api, f"{STATUS}?{'a=1&' * 1_000_000}", CLOSE))
    assert heard.statuses in ([400], [])


# What stands in it


@pytest.mark.parametrize("run", ["%00", "%ed%a0%80", "%zz%ff%fe", "..%2f..%2fetc", "%0d%0aX-A:1"])
@pytest.mark.parametrize("line", ["GET /v1/runs/{}", "POST /v1/runs/{}/cancel"])
async def test_the_id_of_a_run_may_be_anything_and_is_not_found(
    api: Api, line: str, run: str
) -> None:
    heard = await say(api, head(api, line.format(run), CLOSE))
    assert heard.statuses == [404]
    assert "x-a" not in heard.headers


@pytest.mark.parametrize("line", ["GET /v1/runs/\xff\xfe", "GET /v1/runs/\x00", "GET /a\tb"])
async def test_bytes_that_no_target_holds_are_refused(api: Api, line: str) -> None:
    heard = await say(api, head(api, line, CLOSE))
    assert heard.statuses
    assert set(heard.statuses) == {400}


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a\0b"},
        {"prompt": "\u202e\ufeff\uffff"},
        {"prompt": "x", "conversationId": "a\0b"},
        {"prompt": "x", "context": {"manifest": {"a\0": "\0"}}},
        {"prompt": "x", "context": {"files": {"a.ts": "\0"}}},
        {"prompt": "x", "context": {"recentMessages": [{"role": "user", "content": "\0"}]}},
    ],
)
async def test_text_may_hold_what_text_can(api: Api, body: dict[str, Any]) -> None:
    found = await api.stream("/api/generate/stream", body)
    assert found[-1]["type"] in ("complete", "error")
    assert found[-1].get("data", {}).get("code") != "internal_error"


@pytest.mark.parametrize("value", ["\0", "x\0", "../x", "\u202e"])
async def test_the_id_of_a_sandbox_may_be_anything_and_is_not_found(api: Api, value: str) -> None:
    wanted: list[tuple[str, dict[str, Any], int]] = [
        ("generate/stream", {"prompt": "x", "isEdit": True}, 404),
        ("apply/stream", {"files": [{"path": "a.ts", "content": ""}]}, 404),
        ("sandbox/diagnostics", {}, 404),
        ("packages/install", {"packages": ["react"]}, 404),
        ("sandbox/kill", {}, 200),
    ]
    for path, body, status in wanted:
        assert (await api.post(f"/api/{path}", {**body, "sandboxId": value}))[0] == status, path
    assert (await api.get("/api/sandbox/status", params={"sandboxId": value}))[0] == 404
    assert await api.provider.made[0].is_alive()


SURROGATES: list[tuple[str, bytes]] = [
    ("generate/stream", b'{"prompt": "%s"}'),
    ("generate/stream", b'{"prompt": "x", "conversationId": "%s"}'),
    ("generate/stream", b'{"prompt": "x", "context": {"files": {"a.ts": "%s"}}}'),
    ("generate/stream", b'{"prompt": "x", "context": {"manifest": {"%s": 1}}}'),
    ("apply/stream", b'{"files": [{"path": "a.ts", "content": "%s"}]}'),
    ("packages/install", b'{"packages": ["%s"]}'),
    ("sandbox/kill", b'{"sandboxId": "%s"}'),
    ("sandbox/diagnostics", b'{"sandboxId": "%s"}'),
]


@pytest.mark.parametrize("half", [b"\\ud800", b"\\udfff\\ud800", b"\xed\xa0\x80", b"\xff"])
async def test_half_a_character_is_refused_wherever_it_stands(api: Api, half: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path, body in SURROGATES:
        data = body % half
        async with api.client.post(f"/api/{path}", data=data, headers=headers) as response:
            assert response.status == 400, path
            assert (await response.json())["error"] == "Invalid JSON body"
    assert await api.provider.made[0].is_alive()


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"sandboxId":' * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b"9" * 5_000_000 + b"}",
        b'{"sandboxId":"sb_1"}{',
        b'{"sandboxId":"sb_1"}\0',
        b"\xff\xfe{\0}\0",
        b"null",
        b"true",
    ],
    ids=range(9),
)
async def test_json_that_is_none_or_too_deep_ends_no_sandbox(api: Api, data: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("sandbox/kill", "sandbox/diagnostics", "packages/install", "apply/stream"):
        body = io.BytesIO(data)
        async with api.client.post(f"/api/{path}", data=body, headers=headers) as response:
            assert (response.status, await response.json()) == (
                400,
                {"success": False, "error": "Invalid JSON body"},
            )
    assert await api.provider.made[0].is_alive()


@pytest.mark.parametrize(
    "packages",
    ["", [], None, {}, "react", [""], ["react", ""], [" "], ["\0"], ["-g"], [["react"]], [1]],
    ids=repr,
)
async def test_packages_that_are_none_are_refused_and_none_is_installed(
    api: Api, packages: Any
) -> None:
    status, answer = await api.post("/api/packages/install", {"packages": packages})
    assert status == 400
    assert answer["success"] is False
    assert api.provider.made[0].installed == []


# At what pace


async def test_a_body_that_comes_by_the_byte_is_taken_while_it_comes_in_time(api: Api) -> None:
    body = b'{"sandboxId": "sb_1"}'
    async with connected(api) as (reader, writer), asyncio.timeout(20):
        writer.write(head(api, KILL, JSON, f"Content-Length: {len(body)}", CLOSE))
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            # The server is given the loop, so that it reads each by itself.
            await asyncio.sleep(0)
        heard = Heard(await reader.read())
    assert heard.statuses == [200]


@pytest.mark.parametrize("key", [[], ["Idempotency-Key: k"]], ids=["", "with a key"])
async def test_a_body_that_comes_too_slowly_is_given_up(tmp_path: Path, key: list[str]) -> None:
    async with serving(tmp_path, settings(http={"stall_timeout_s": 0.3})) as api:
        asked = head(api, KILL, JSON, "Content-Length: 1000000", CLOSE, *key)
        async with connected(api) as (reader, writer), asyncio.timeout(20):
            writer.write(asked + b"{")
            answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
            while not answer.done():
                writer.write(b" ")
                await asyncio.wait([answer], timeout=0.05)
            assert Heard(answer.result()).statuses == [408]
        assert (await api.get("/api/health"))[0] == 200


# Who leaves, and when


async def test_who_closes_its_side_after_the_request_hears_the_stream_to_its_end(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, settings(pace_s=0.003)) as api:
        asked = head(api, GENERATE, JSON, f"Content-Length: {len(PROMPT)}") + PROMPT
        heard = await say(api, asked, shut=True)
        assert heard.statuses == [200]
        assert _events(heard)[-1]["type"] == "complete"


async def test_who_closes_its_side_after_the_request_gets_its_answer(api: Api) -> None:
    for line, status in ((STATUS, 200), ("GET /v1/runs/x", 404), ("GET /docs", 200)):
        assert (await say(api, head(api, line), shut=True)).statuses == [status]


@pytest.mark.parametrize(
    "cut",
    [
        f"Content-Length: {len(PROMPT) + 1}\r\n\r\n{PROMPT.decode()}",
        "Transfer-Encoding: chunked\r\n\r\n2e\r\n" + PROMPT.decode(),
        "Transfer-Encoding: chunked\r\n\r\n2",
        "Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n\x1f",
        "Content-Le",
    ],
)
async def test_who_closes_its_side_in_mid_request_has_asked_for_nothing(
    api: Api, cut: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = head(api, GENERATE, JSON)[:-2] + cut.encode("latin-1")
    assert (await say(api, asked, shut=True)).statuses in ([400], [])
    assert await api.engine.runs.recent(limit=1) == []
    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]


async def test_the_run_of_who_hangs_up_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.003, http={"heartbeat_s": 0.05})) as api:
        asked = head(api, GENERATE, JSON, f"Content-Length: {len(PROMPT)}") + PROMPT
        async with connected(api) as (reader, writer):
            writer.write(asked)
            await reader.readuntil(b"data:")
            run = api.engine.runs.newest()
            assert run is not None
            # What is not read makes the kernel reset the connection rather than end it.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await until(lambda: _is_alone_or_over(run))
        async with asyncio.timeout(20):
            await run.finished()
        assert (await api.engine.runs.record(run.id)).outcome == "completed"
        assert (await api.get("/api/health"))[0] == 200


async def test_who_shuts_both_sides_is_noticed_by_what_is_written(tmp_path: Path) -> None:
    chosen = settings(pace_s=5.0, http={"heartbeat_s": 0.02})
    async with serving(tmp_path, chosen) as api:
        asked = head(api, GENERATE, JSON, f"Content-Length: {len(PROMPT)}") + PROMPT
        async with connected(api) as (reader, writer):
            writer.write(asked)
            await reader.readuntil(b"data:")
            run = api.engine.runs.newest()
            assert run is not None
            writer.close()
            await until(lambda: run.listeners == 0)
            assert not run.is_finished


# How many at once


async def test_five_hundred_at_once_are_all_answered(api: Api) -> None:
    lines = ("GET /api/health", STATUS, "GET /v1/runs/x", "GET /docs", "GET /api/nothing")
    asked = [head(api, lines[number % len(lines)], CLOSE) for number in range(CROWD)]
    heard = await asyncio.gather(*(say(api, each) for each in asked))
    wanted = (200, 200, 404, 200, 404)
    for number, each in enumerate(heard):
        assert each.statuses == [wanted[number % len(wanted)]]


async def test_five_hundred_who_say_nothing_keep_nobody_out(api: Api) -> None:
    # Both ends of each connection are in this process, and 1,024 files are the usual limit.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CROWD)), hard))
    async with AsyncExitStack() as stack:
        for number in range(CROWD):
            _, writer = await stack.enter_async_context(connected(api))
            # Some have begun to speak.
            writer.write(head(api, STATUS)[: number % 40])
        for _ in range(20):
            assert (await say(api, head(api, STATUS, CLOSE))).statuses == [200]


def _events(heard: Heard) -> list[dict[str, Any]]:
    """Those of a stream, of whose chunks each holds whole events."""
    body = heard.data.partition(b"\r\n\r\n")[2]
    data = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        data += rest[:length]
        body = rest[length + 2 :]
    return payloads(data)


def _is_alone_or_over(run: Run) -> bool:
    return run.listeners == 0 or run.is_finished
