"""Who is let in, and what a hostile client gets."""

import asyncio
import io
import json
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from http_serving import TOKEN, Api, serving, settings

from forge_lsp.errors import InvalidRequest, PortTaken
from forge_lsp.http.access import Access, is_loopback
from forge_lsp.http.doorway import Doorway
from forge_lsp.settings import HttpSettings

STATUS = "/api/sandbox/status"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \udcff\udcfe",
    ],
)
async def test_whoever_lacks_the_token_is_refused(api: Api, authorization: str | None) -> None:
    line = "" if authorization is None else f"Authorization: {authorization}\r\n"
    answer = await _raw(api, f"GET {STATUS} HTTP/1.1\r\nHost: {_host(api)}\r\n{line}\r\n")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.body == {"success": False, "error": "Unauthorized"}


async def test_two_tokens_are_no_token(api: Api) -> None:
    line = f"Authorization: Bearer {TOKEN}\r\n" * 2
    answer = await _raw(api, f"GET {STATUS} HTTP/1.1\r\nHost: {_host(api)}\r\n{line}\r\n")
    assert answer.status in (400, 401)


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
async def test_a_token_in_the_query_does_not_count(api: Api, name: str) -> None:
    answer = await _raw(api, f"GET {STATUS}?{name}={TOKEN} HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
    assert answer.status == 401


async def test_what_needs_no_token_is_answered_without(api: Api) -> None:
    answer = await _raw(api, f"GET /api/health HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
    assert answer.status == 200
    assert answer.body["status"] == "ok"


async def test_an_unknown_route_tells_strangers_nothing(api: Api) -> None:
    answer = await _raw(api, f"GET /api/nothing HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
    assert answer.status == 401
    assert await api.get("/api/nothing") == (404, {"success": False, "error": "Not Found"})
    status, _ = await api.get("/api/sandbox/create")
    assert status == 405


async def test_errors_under_v1_have_their_own_shape(api: Api) -> None:
    answer = await _raw(api, f"GET /v1/runs/x HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
    assert answer.status == 401
    assert answer.body["error"]["code"] == "invalid_key"
    async with api.client.get("/v1/runs/x", headers={"X-Request-Id": "mine-1"}) as response:
        assert response.status == 404
        assert response.headers["X-Request-Id"] == "mine-1"
        assert await response.json() == {
            "error": {
                "code": "not_found",
                "message": "There is no run x.",
                "type": "invalid_request_error",
                "requestId": "mine-1",
            }
        }


async def test_errors_of_fragments_are_an_error_and_nothing_else(api: Api) -> None:
    answer = await _raw(api, f"GET /api/fragments/x HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
    assert (answer.status, answer.body) == (401, {"error": "Unauthorized"})


async def test_a_request_id_that_is_not_fit_to_print_is_replaced(api: Api) -> None:
    headers = {"X-Request-Id": "a b<script>"}
    async with api.client.get("/api/health", headers=headers) as response:
        assert response.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost", "127.0.0.1:1", "localhost.:{port}"]
)
async def test_a_foreign_host_is_refused(api: Api, host: str) -> None:
    named = host.format(port=api.port)
    for path in ("/api/health", STATUS):
        answer = await _raw(api, f"GET {path} HTTP/1.1\r\nHost: {named}\r\n{_token()}\r\n")
        assert answer.status == 421


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
async def test_its_own_names_are_taken(api: Api, name: str) -> None:
    answer = await _raw(api, f"GET /api/health HTTP/1.1\r\nHost: {name}:{api.port}\r\n\r\n")
    assert answer.status == 200


async def test_a_host_that_it_was_told_of_is_taken(tmp_path: Path) -> None:
    chosen = settings(http={"allowed_hosts": ("forge.example",)})
    async with serving(tmp_path, chosen) as api:
        for host in ("forge.example", f"forge.example:{api.port}"):
            answer = await _raw(api, f"GET /api/health HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert answer.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", ""])
async def test_a_foreign_origin_is_refused(api: Api, origin: str) -> None:
    async with api.client.post("/api/sandbox/create", headers={"Origin": origin}) as response:
        assert response.status == 403
        assert (await response.json())["success"] is False
    assert api.provider.made == []


async def test_its_own_origin_and_those_it_was_told_of_are_taken(tmp_path: Path) -> None:
    chosen = settings(http={"allowed_origins": ("https://app.example",)})
    async with serving(tmp_path, chosen) as api:
        for origin in (f"http://127.0.0.1:{api.port}", "https://app.example"):
            async with api.client.get("/api/health", headers={"Origin": origin}) as response:
                assert response.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("path", ["/api/generate/stream", "/api/apply/stream", "/api/sandbox/kill"])
async def test_json_under_another_name_is_refused(api: Api, path: str, kind: str | None) -> None:
    body = '{"prompt": "x"}'
    line = f"Content-Type: {kind}\r\n" if kind else ""
    answer = await _raw(
        api,
        f"POST {path} HTTP/1.1\r\nHost: {_host(api)}\r\n{_token()}{line}"
        f"Content-Length: {len(body)}\r\n\r\n{body}",
    )
    assert answer.status == 415


async def test_a_charset_beside_the_type_is_taken(api: Api) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    async with api.client.post("/api/sandbox/kill", data=b"{}", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"prompt": NaN}',
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'{"a":' * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"\xef\xbb\xbf{",
    ],
    ids=range(10),
)
async def test_what_is_no_json_object_is_refused(api: Api, data: bytes) -> None:
    async with api.client.post("/api/generate/stream", data=data, headers=JSON) as response:
        assert response.status == 400
        assert await response.json() == {"success": False, "error": "Invalid JSON body"}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x.ts",
        "src/../../x.ts",
        ".git/config",
        "src/.git/hooks/x",
        "node_modules/react/index.js",
        ".env",
        ".env.local",
        "a\x00b.ts",
        "..\\x.ts",
        "C:\\x.ts",
        "~/x",
        "",
        "src/",
        "a" * 2000,
    ],
)
async def test_a_hostile_path_is_refused_and_nothing_is_written(api: Api, path: str) -> None:
    await api.post("/api/sandbox/create")
    before = dict(api.provider.made[0].contents)
    body = {"files": [{"path": "ok.ts", "content": "1"}, {"path": path, "content": "2"}]}
    status, answer = await api.post("/api/apply/stream", body)
    assert status == 400
    assert "is refused" in answer["error"]
    assert api.provider.made[0].contents == before
    given = {"prompt": "x", "isEdit": True, "context": {"files": {path: "1"}}}
    assert (await api.post("/api/generate/stream", given))[0] == 400


@pytest.mark.parametrize("path", [b"\\ud800.ts", b"\\udc00\\ud800.ts", b"\xed\xa0\x80.ts"])
async def test_a_lone_surrogate_in_a_path_is_refused(api: Api, path: bytes) -> None:
    await api.post("/api/sandbox/create")
    data = b'{"files":[{"path":"' + path + b'","content":"x"}]}'
    async with api.client.post("/api/apply/stream", data=data, headers=JSON) as response:
        assert response.status == 400


async def test_a_body_of_one_byte_too_much_is_refused(tmp_path: Path) -> None:
    limit = 1024 * 1024
    async with serving(tmp_path, settings(http={"body_limit_bytes": limit})) as api:
        for size, status in ((limit, 400), (limit + 1, 413)):
            data = b'"' + b"x" * (size - 2) + b'"'
            body = io.BytesIO(data)
            async with api.client.post("/api/apply/stream", data=body, headers=JSON) as response:
                assert response.status == status
                assert (await response.json())["success"] is False


async def test_the_limit_is_ten_mebibytes_where_nothing_else_is_set(api: Api) -> None:
    data = io.BytesIO(b"x" * (10 * 1024 * 1024 + 1))
    async with api.client.post("/api/apply/stream", data=data, headers=JSON) as response:
        assert response.status == 413


async def test_a_bomb_in_a_packed_body_is_refused(api: Api) -> None:
    data = zlib.compress(b"x" * (64 * 1024 * 1024))
    headers = {**JSON, "Content-Encoding": "deflate"}
    async with api.client.post("/api/apply/stream", data=data, headers=headers) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("apply", b'{"files":[' + b"1," * 2_000_000 + b"1]}"),
        (
            "apply",
            b'{"files":[{"path":"a","content":""}],"packages":[' + b"1," * 2_000_000 + b"1]}",
        ),
        (
            "generate",
            b'{"prompt":"x","context":{"files":{'
            + b",".join(b'"a%d":1' % number for number in range(400_000))
            + b"}}}",
        ),
        (
            "generate",
            b'{"prompt":"x","context":{"recentMessages":[' + b"1," * 2_000_000 + b"1]}}",
        ),
    ],
    ids=["files", "packages", "context", "messages"],
)
async def test_a_body_with_millions_of_wrong_items_is_refused_quickly(
    api: Api, path: str, data: bytes
) -> None:
    await api.get("/api/health")
    began = time.process_time()
    body = io.BytesIO(data)
    async with api.client.post(f"/api/{path}/stream", data=body, headers=JSON) as response:
        assert response.status == 400
    assert time.process_time() - began < 5


async def test_a_body_that_never_comes_is_given_up(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"stall_timeout_s": 0.2})) as api:
        answer = await _raw(
            api,
            f"POST /api/apply/stream HTTP/1.1\r\nHost: {_host(api)}\r\n{_token()}"
            "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
        )
        assert answer.status == 408


async def test_without_authentication_whoever_reaches_the_loopback_is_let_in(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, token=None) as api:
        answer = await _raw(api, f"GET {STATUS} HTTP/1.1\r\nHost: {_host(api)}\r\n\r\n")
        assert answer.status == 404
        answer = await _raw(api, f"GET {STATUS} HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert answer.status == 421


async def test_without_authentication_it_binds_to_the_loopback_only(api: Api) -> None:
    doorway = Doorway(api.doorway._engine, HttpSettings(host="0.0.0.0"), None)
    with pytest.raises(InvalidRequest, match="loopback"):
        doorway.open()


async def test_a_port_that_is_taken_is_explained(api: Api) -> None:
    doorway = Doorway(api.doorway._engine, HttpSettings(port=api.port), TOKEN)
    with pytest.raises(PortTaken, match=str(api.port)) as caught:
        doorway.open()
    assert "--http-port" in caught.value.for_people()


def test_which_addresses_are_the_loopback() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "192.168.1.1", "example.com", ""):
        assert not is_loopback(host)


def test_on_port_80_the_host_stands_without_it() -> None:
    access = Access.to(HttpSettings(), 80, TOKEN)
    assert "localhost" in access.hosts
    assert "http://localhost" in access.origins


class _Answer:
    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self.body: Any = json.loads(body) if body.startswith((b"{", b"[")) else body


async def _raw(api: Api, request: str) -> _Answer:
    """Send the bytes as they are (what a client library would refuse to); read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head, _, body = request.partition("\r\n\r\n")
    closing = f"{head}\r\nConnection: close\r\n\r\n{body}"
    writer.write(closing.encode("utf-8", "surrogateescape"))
    try:
        async with asyncio.timeout(10):
            return _Answer(await reader.read())
    finally:
        writer.close()
        await writer.wait_closed()


def _host(api: Api) -> str:
    return f"127.0.0.1:{api.port}"


def _token() -> str:
    return f"Authorization: Bearer {TOKEN}\r\n"
