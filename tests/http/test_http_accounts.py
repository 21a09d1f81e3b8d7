"""Tokens that were made, over the wire: what they let in, and what they keep apart."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_description import canonical
from http_serving import Api

from forge_lsp.actions.accounts import (
    SCOPES,
    THE_OWNER,
    Caller,
    TokenRequest,
    create_token,
    revoke_tokens,
)
from forge_lsp.actions.tokens import hash_of, make_token
from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.http.application import OPEN_ROUTES, ROUTES
from forge_lsp.http.denials import ProRequired
from forge_lsp.http.guard import _check_rights
from forge_lsp.http.needs import NEEDS, Needs
from forge_lsp.settings import Places
from forge_lsp.store.sql import default_url, open_store

STATUS = "/api/sandbox/status"
PROMPT = {"prompt": "Create a React counter component", "isEdit": False}


async def token(api: Api, name: str = "ci", **asked: Any) -> dict[str, str]:
    """The headers of whoever has a new token."""
    text, _ = await create_token(api.engine.store, TokenRequest(name, **asked))
    return {"Authorization": f"Bearer {text}"}


async def test_a_token_lets_in_until_it_is_revoked(api: Api) -> None:
    headers = await token(api)
    assert (await api.get(STATUS, headers=headers))[0] == 404
    await revoke_tokens(api.engine.store, "ci")
    assert await api.get(STATUS, headers=headers) == (
        401,
        {"success": False, "error": "Unauthorized"},
    )
    with pytest.raises(NotFound):
        await revoke_tokens(api.engine.store, "ci")


async def test_what_another_process_makes_and_revokes_counts_at_once(
    api: Api, tmp_path: Path
) -> None:
    another = await open_store(default_url(Places.find(tmp_path)))
    text, made = await create_token(another, TokenRequest("ci"))
    headers = {"Authorization": f"Bearer {text}"}
    assert (await api.get(STATUS, headers=headers))[0] == 404
    await revoke_tokens(another, made.id)
    assert (await api.get(STATUS, headers=headers))[0] == 401
    await another.close()


async def test_an_expired_token_is_told_from_a_wrong_one(api: Api) -> None:
    headers = await token(api, lifetime_s=0.0)
    assert (await api.get(STATUS, headers=headers))[0] == 401
    async with api.client.get("/v1/runs/x", headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"]["code"] == "expired_key"
    # Whoever doesn't have the rest of it isn't told that it once was one.
    cut = {"Authorization": headers["Authorization"][:-2] + "zz"}
    status, answer = await api.get("/v1/runs/x", headers=cut)
    assert (status, answer["error"]["code"]) == (401, "invalid_key")


async def test_a_right_id_with_a_wrong_secret_is_no_token(api: Api) -> None:
    headers = await token(api)
    wrong, _ = make_token()
    id_of_the_right = headers["Authorization"].split("-")[1]
    forged = f"Bearer forge-{id_of_the_right}-{wrong.split('-', 2)[2]}"
    assert (await api.get(STATUS, headers={"Authorization": forged}))[0] == 401
    assert (await api.get(STATUS, headers={"Authorization": f"Bearer {wrong}"}))[0] == 401


async def test_only_the_hash_is_kept(api: Api, tmp_path: Path) -> None:
    headers = await token(api)
    text = headers["Authorization"].removeprefix("Bearer ")
    assert (await api.get(STATUS, headers=headers))[0] == 404
    kept = await asyncio.to_thread(_bytes_of_the_database, tmp_path)
    assert hash_of(text).encode() in kept
    assert text.rpartition("-")[2].encode() not in kept


def _bytes_of_the_database(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("forge.db*"))


async def test_tokens_stand_in_no_log_and_no_answer(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = await token(api)
    text = headers["Authorization"].removeprefix("Bearer ")
    for path in (STATUS, "/v1/runs/x", f"{STATUS}?token={text}", f"{STATUS}?x={text}"):
        async with api.client.get(path, headers=headers) as response:
            assert text not in await response.text()
            assert text not in str(response.headers)
    await _send_what_is_no_http(api, f"Bearer {text}\x0b")
    assert text not in caplog.text


async def _send_what_is_no_http(api: Api, authorization: str) -> None:
    """A header that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"GET {STATUS} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
    writer.write(f"{head}Authorization: {authorization}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
    assert answer.startswith(("HTTP/1.0 400 ", "HTTP/1.1 400 "))


@pytest.mark.parametrize("name", ["token", "access_token", "API_KEY", "Authorization"])
async def test_a_token_in_the_query_is_refused_beside_a_right_one(api: Api, name: str) -> None:
    status, answer = await api.get(STATUS, params={name: "forge_test-token"})
    assert (status, answer["error"]) == (401, "Unauthorized")


ALLOWED = {
    ("POST", "/api/generate/stream"): {"generate"},
    ("POST", "/api/apply/stream"): {"sandbox"},
    ("POST", "/api/sandbox/create"): {"sandbox"},
    ("GET", "/api/sandbox/status"): {"read"},
    ("GET", "/api/sandbox/files"): {"read"},
    ("POST", "/api/sandbox/diagnostics"): {"sandbox"},
    ("POST", "/api/sandbox/kill"): {"sandbox"},
    ("POST", "/api/packages/install"): {"sandbox"},
    ("POST", "/v1/apps/generate"): {"generate"},
    ("GET", "/v1/apps"): {"read"},
    ("GET", "/v1/apps/x"): {"read"},
    ("DELETE", "/v1/apps/x"): {"generate"},
    ("GET", "/v1/apps/x/files"): {"read"},
    ("PATCH", "/v1/apps/x/files"): {"generate"},
    ("POST", "/v1/apps/x/fork"): {"generate"},
    ("POST", "/v1/chats/x/messages"): {"generate"},
    ("GET", "/v1/skills"): {"read"},
    ("POST", "/v1/skills"): {"generate"},
    ("POST", "/v1/skills/run"): {"generate"},
    ("POST", "/v1/augmenters/run"): {"generate"},
    ("GET", "/v1/runs/x"): {"read"},
    ("GET", "/v1/runs/x/events"): {"read"},
    ("POST", "/v1/runs/x/cancel"): {"generate", "sandbox"},
    ("POST", "/v1/runs/x/rollback"): {"generate"},
    ("GET", "/metrics"): {"read"},
}


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_token_may_do_what_its_scope_says(api: Api, scope: str) -> None:
    headers = await token(api, scopes=(scope,))
    for (method, path), scopes in ALLOWED.items():
        async with api.client.request(method, path, headers=headers) as response:
            is_let_in = response.status != 403
            assert is_let_in == (scope in scopes or scope == "admin"), (method, path)
            if not is_let_in and path.startswith("/v1/"):
                assert (await response.json())["error"]["code"] == "missing_scope"


def test_every_route_says_what_it_needs() -> None:
    for route in (*ROUTES, *OPEN_ROUTES):
        assert (route.method, canonical(route)) in NEEDS, (
            f"{route.path} is not declared in needs.py"
        )
    for route in OPEN_ROUTES:
        assert NEEDS[route.method, canonical(route)].is_open
    for route in ROUTES:
        assert not NEEDS[route.method, canonical(route)].is_open


async def test_who_has_no_right_to_a_method_still_hears_that_there_is_none(api: Api) -> None:
    headers = await token(api, scopes=("read",))
    assert (await api.get("/api/nothing", headers=headers))[0] == 404
    assert (await api.get("/api/sandbox/kill", headers=headers))[0] == 405
    async with api.client.head(STATUS, headers=headers) as response:
        assert response.status == 404


def test_a_feature_is_for_pro_accounts_and_those_that_were_given_it() -> None:
    needs = Needs(("generate",), feature="inline_code_edit")
    free = Caller("ci", "free", frozenset(), frozenset(SCOPES))
    with pytest.raises(ProRequired) as caught:
        _check_rights(free, needs)
    assert (caught.value.status, caught.value.text) == (403, "Pro is required")
    for able in (
        THE_OWNER,
        replace(free, plan="pro"),
        replace(free, features={"inline_code_edit"}),
    ):
        _check_rights(able, needs)


async def test_accounts_do_not_see_each_other(api: Api) -> None:
    mine, theirs = await token(api, "mine", plan="pro"), await token(api, "theirs", plan="pro")
    second_of_mine = await token(api, "another", account="mine")
    _, made = await api.post("/api/sandbox/create", headers=mine)
    sandbox = made["sandboxId"]
    async with api.client.post("/api/generate/stream", json=PROMPT, headers=mine) as response:
        assert response.status == 200
        run_id = response.headers["X-Run-Id"]
        await response.read()
    for headers, seen in ((mine, True), (second_of_mine, True), (theirs, False), ({}, False)):
        assert await _statuses(api, sandbox, run_id, headers) == (
            [200, 200, 200, 200, 409] if seen else [404] * 5
        )
    # To end what isn't there is a success that ends nothing.
    assert await api.post("/api/sandbox/kill", {"sandboxId": sandbox}, headers=theirs) == (
        200,
        {"success": True, "killed": []},
    )
    assert await api.post("/api/sandbox/kill", {}, headers=theirs) == (
        200,
        {"success": True, "killed": []},
    )
    _, killed = await api.post("/api/sandbox/kill", {}, headers=mine)
    assert killed["killed"] == [sandbox]


async def _statuses(api: Api, sandbox: str, run_id: str, headers: Mapping[str, str]) -> list[int]:
    found: list[int] = []
    for method, path, body in (
        ("GET", f"{STATUS}?sandboxId={sandbox}", None),
        ("GET", f"/api/sandbox/files?sandboxId={sandbox}", None),
        ("POST", "/api/sandbox/diagnostics", {"sandboxId": sandbox}),
        ("GET", f"/v1/runs/{run_id}", None),
        ("POST", f"/v1/runs/{run_id}/cancel", None),
    ):
        async with api.client.request(method, path, json=body, headers=headers) as response:
            found.append(response.status)
    return found


async def test_a_conversation_is_its_accounts_own(api: Api) -> None:
    ann, ben = await token(api, "ann"), await token(api, "ben")
    asked = {**PROMPT, "conversationId": "conv_1"}
    for headers in (ann, ben, None):
        await api.stream("/api/generate/stream", asked, headers=headers)
    kept = {
        name: [each.text for each in await api.engine.store.messages(name, limit=9)]
        for name in ("account:ann/conv_1", "account:ben/conv_1", "conv_1")
    }
    assert [len(messages) for messages in kept.values()] == [2, 2, 2]


async def test_an_account_keeps_its_plan_unless_a_token_is_made_with_another(api: Api) -> None:
    store = api.engine.store
    await create_token(store, TokenRequest("a", account="team"))
    assert (await store.account("team")).plan == "free"  # type: ignore[union-attr]
    await create_token(store, TokenRequest("b", account="team", plan="pro"))
    await create_token(store, TokenRequest("c", account="team", features=("inline_code_edit",)))
    account = await store.account("team")
    assert account is not None
    assert (account.plan, account.features) == ("pro", ("inline_code_edit",))


async def test_a_token_of_the_owners_account_is_the_owners_within_its_scopes(api: Api) -> None:
    await api.post("/api/sandbox/create")
    headers = await token(api, "phone", account="owner", scopes=("read",))
    assert (await api.get(STATUS, headers=headers))[0] == 200
    assert (await api.post("/api/sandbox/kill", {}, headers=headers))[0] == 403
    with pytest.raises(InvalidRequest, match="pro"):
        await create_token(api.engine.store, TokenRequest("x", account="owner", plan="free"))


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "a" * 65, "é", "-x", "a\n", "\x00"])
async def test_a_name_that_would_break_a_table_or_a_log_is_refused(api: Api, name: str) -> None:
    for asked in (TokenRequest(name), TokenRequest("ok", account=name or "-")):
        with pytest.raises(InvalidRequest, match="can't be a name"):
            await create_token(api.engine.store, asked)
    assert await api.engine.store.tokens() == []


async def test_there_is_no_feature_but_those_there_are(api: Api) -> None:
    with pytest.raises(InvalidRequest, match="no feature"):
        await create_token(api.engine.store, TokenRequest("ci", features=("everything",)))


async def test_what_can_not_be_a_token_costs_the_store_nothing(api: Api) -> None:
    await api.engine.store.close()
    for guess in ("x", "forge-", "forge-0123456789ab-", f"{make_token()[0]}x", "forge-%00"):
        status, _ = await api.get(STATUS, headers={"Authorization": f"Bearer {guess}"})
        assert status == 401
    status, _ = await api.get(STATUS, headers={"Authorization": f"Bearer {make_token()[0]}"})
    assert status == 503


@pytest.mark.parametrize(
    "query", ["%ff=%fe", "token", "=&&=", "a" * 4000, "%00=%00", "TOKEN=", "x=%E2%80%AE", "\ud83d"]
)
async def test_no_query_breaks_the_server(api: Api, query: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    text, _ = await create_token(api.engine.store, TokenRequest("ci"))
    head = f"GET {STATUS}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nConnection: close\r\n"
    request = f"{head}Authorization: Bearer {text}\r\n\r\n"
    writer.write(request.encode("utf-8", "surrogatepass"))
    try:
        async with asyncio.timeout(10):
            status = int((await reader.read()).split(maxsplit=2)[1])
    finally:
        writer.close()
    assert status in (400, 401, 404)
