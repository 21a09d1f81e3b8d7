"""/v1/apps and /v1/chats: apps that are built over HTTP, and who may touch them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_serving import Api, serving, settings, until
from http_v1 import app_with, bare, lines, said, stream, token

from forge_lsp.events import Usage
from forge_lsp.http.idempotency import KEY
from forge_lsp.http.v1.building import with_context
from forge_lsp.paths import PROTECTED, ProjectPath

GENERATE = "/v1/apps/generate"
PROMPT = {"prompt": "A landing page with pricing and a footer"}
FIELDS = [
    "id", "chatId", "workspaceId", "prompt", "template", "previewUrl", "deployUrl", "status",
    "createdAt", "updatedAt",
]  # fmt: skip


async def test_a_build_is_told_from_its_plan_to_its_preview(api: Api) -> None:
    told = await stream(api, GENERATE, PROMPT)
    kinds = [line["type"] for line in told]
    assert kinds[0] == "plan"
    assert kinds[-1] == "ready"
    assert set(kinds) == {"plan", "file", "review", "ready"}
    assert len({line["runId"] for line in told}) == 1
    ids = [line["id"] for line in told]
    assert ids == sorted(set(ids))
    planned = {file["path"] for file in told[0]["manifest"]}
    written = {line["path"]: line["contents"] for line in told if line["type"] == "file"}
    assert planned <= set(written)
    _, app = await api.get(f"/v1/apps/{told[-1]['appId']}")
    assert list(app) == FIELDS
    assert app["status"] == "ready"
    assert app["previewUrl"] == told[-1]["previewUrl"]
    assert app["prompt"] == PROMPT["prompt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", app["createdAt"])
    _, files = await api.get(f"/v1/apps/{app['id']}/files")
    assert written.items() <= files["files"].items()
    assert files["omitted"] == []


async def test_what_was_streamed_is_replayed_byte_for_byte(api: Api) -> None:
    async with api.client.post(GENERATE, json=PROMPT) as response:
        run_id = response.headers["X-Run-Id"]
        data = await response.read()
    assert await said(api, f"/v1/runs/{run_id}/events") == data
    cut = lines(data)[2]["id"]
    rest = await said(api, f"/v1/runs/{run_id}/events?cursor={cut}")
    assert data.endswith(rest)
    assert lines(rest) == lines(data)[3:]


async def test_a_build_that_is_sent_again_is_done_once(api: Api) -> None:
    first = await stream(api, GENERATE, PROMPT, headers={KEY: "k"})
    assert await stream(api, GENERATE, PROMPT, headers={KEY: "k"}) == first
    assert len((await api.get("/v1/apps"))[1]["data"]) == 1


async def test_a_build_can_be_had_as_server_sent_events(api: Api) -> None:
    headers = {"Accept": "text/event-stream"}
    async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
        assert response.content_type == "text/event-stream"
        blocks = (await response.text()).removesuffix("\n\n").split("\n\n")
    assert all(re.fullmatch(r"id: \d+\ndata: \{.*\}", block) for block in blocks)
    assert json.loads(blocks[-1].partition("data: ")[2])["type"] == "ready"


async def test_a_build_goes_on_in_its_chat_and_is_rolled_back_to_the_byte(api: Api) -> None:
    built = await stream(api, GENERATE, PROMPT)
    path = f"/v1/apps/{built[-1]['appId']}"
    _, app = await api.get(path)
    _, before = await api.get(f"{path}/files")
    sandbox = dict(api.provider.made[0].contents)
    more = await stream(api, f"/v1/chats/{app['chatId']}/messages", {"prompt": "A counter"})
    assert more[-1]["appId"] == app["id"]
    assert (await api.get(f"{path}/files"))[1] != before
    turns = await api.engine.store.messages(app["chatId"], limit=10)
    assert [each.role for each in turns] == ["user", "assistant"] * 2

    rollback = f"/v1/runs/{more[0]['runId']}/rollback"
    status, answer = await api.post(rollback)
    assert (status, answer["id"]) == (200, more[0]["runId"])
    assert set(answer["restored"]) >= {"src/App.tsx"}
    assert (await api.get(f"{path}/files"))[1] == before
    assert api.provider.made[0].contents == sandbox
    status, answer = await api.post(rollback)
    assert (status, answer["error"]["code"]) == (409, "conflict")


async def test_a_generation_that_names_a_chat_goes_on_in_its_app(api: Api) -> None:
    built = await stream(api, GENERATE, PROMPT)
    _, app = await api.get(f"/v1/apps/{built[-1]['appId']}")
    more = await stream(api, GENERATE, {"prompt": "A counter", "chatId": app["chatId"]})
    assert more[-1]["appId"] == app["id"]
    assert len((await api.get("/v1/apps"))[1]["data"]) == 1


async def test_a_file_that_has_changed_since_is_named_and_nothing_is_rolled_back(
    api: Api,
) -> None:
    built = await stream(api, GENERATE, PROMPT)
    path = f"/v1/apps/{built[-1]['appId']}/files"
    await api.client.patch(path, json={"files": {"src/App.tsx": "mine\n"}})
    _, before = await api.get(path)
    status, answer = await api.post(f"/v1/runs/{built[0]['runId']}/rollback")
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert "src/App.tsx" in answer["error"]["message"]
    assert (await api.get(path))[1] == before


async def test_a_run_is_rolled_back_for_a_day_and_not_longer(api: Api, tmp_path: Path) -> None:
    from forge_lsp.settings import Places
    from forge_lsp.store.sql import default_url, open_store

    built = await stream(api, GENERATE, PROMPT)
    another = await open_store(default_url(Places.find(tmp_path)))
    with another._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET ended_at = ended_at - 86500000")
    await another.close()
    status, answer = await api.post(f"/v1/runs/{built[0]['runId']}/rollback")
    assert (status, answer["error"]["code"]) == (410, "gone")


async def test_while_an_app_is_built_nothing_else_changes_it(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, settings(pace_s=5.0)) as api,
        api.client.post(GENERATE, json=PROMPT) as response,
    ):
        run_id = response.headers["X-Run-Id"]
        _, listed = await api.get("/v1/apps")
        [app] = listed["data"]
        assert app["status"] == "draft"
        say = f"/v1/chats/{app['chatId']}/messages"
        for method, path, body in (
            ("POST", say, {"prompt": "More"}),
            ("POST", GENERATE, {"prompt": "More", "chatId": app["chatId"]}),
            ("DELETE", f"/v1/apps/{app['id']}", None),
            ("POST", f"/v1/runs/{run_id}/rollback", None),
        ):
            async with api.client.request(method, path, json=body) as refused:
                assert refused.status == 409, path
                assert run_id in (await refused.json())["error"]["message"]
        assert (await api.post(f"/v1/runs/{run_id}/cancel"))[0] == 200
        assert bare(lines(await response.read()))[-1] == {"type": "cancelled"}
        async with api.client.delete(f"/v1/apps/{app['id']}") as deleted:
            assert await deleted.json() == {"id": app["id"], "deleted": True}


async def test_of_many_messages_at_once_one_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=5.0)) as api:
        app_id = await app_with(api, {"src/App.tsx": b"1\n"})
        _, app = await api.get(f"/v1/apps/{app_id}")

        async def say() -> int:
            path = f"/v1/chats/{app['chatId']}/messages"
            async with api.client.post(path, json=PROMPT) as response:
                return response.status

        statuses = await asyncio.gather(*(say() for _ in range(6)))
        assert sorted(statuses) == [200] + [409] * 5
        run = api.engine.runs.newest(app_id)
        assert run is not None
        await api.post(f"/v1/runs/{run.id}/cancel")


async def test_a_build_without_a_listener_is_cancelled(tmp_path: Path) -> None:
    chosen = settings(pace_s=5.0, http={"heartbeat_s": 0.05}, grace_s=0.2)
    async with serving(tmp_path, chosen) as api:
        async with api.client.post(GENERATE, json=PROMPT) as response:
            run_id = response.headers["X-Run-Id"]
            response.close()
        await until(lambda: api.engine.runs.live(run_id) is None)
        assert (await api.get(f"/v1/runs/{run_id}"))[1]["status"] == "cancelled"


async def test_apps_are_listed_by_the_page_and_each_once(api: Api) -> None:
    made = [await app_with(api, {}) for _ in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for size in (3, 3, 1):
        status, page = await api.get("/v1/apps", params={"limit": "3", **cursor})
        assert status == 200
        assert list(page) == ["data", "nextCursor", "hasMore"]
        assert len(page["data"]) == size
        assert page["hasMore"] == (page["nextCursor"] is not None)
        seen += [app["id"] for app in page["data"]]
        cursor = {"cursor": page["nextCursor"] or ""}
    assert sorted(seen) == sorted(made)
    assert not page["hasMore"]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", "9" * 50, " 1", "\0"])
async def test_a_limit_that_is_none_is_refused(api: Api, limit: str) -> None:
    status, answer = await api.get("/v1/apps", params={"limit": limit})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "\0", "=", "MSBh=", "LTEgYQ", "MQ", "MSA", "/+", "a" * 4000],
)
async def test_a_page_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    status, answer = await api.get("/v1/apps", params={"cursor": cursor})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


async def test_more_than_a_hundred_are_never_given(api: Api) -> None:
    for _ in range(101):
        await app_with(api, {})
    for limit, count in (("100000000", 100), ("100", 100), ("1", 1)):
        _, page = await api.get("/v1/apps", params={"limit": limit})
        assert (len(page["data"]), page["hasMore"]) == (count, True)
    assert len((await api.get("/v1/apps"))[1]["data"]) == 20


async def test_a_fork_is_an_app_of_its_own(api: Api) -> None:
    app_id = await app_with(api, {"src/App.tsx": b"1\n", "logo.png": b"\xff\x00"})
    _, app = await api.get(f"/v1/apps/{app_id}")
    status, copy = await api.post(f"/v1/apps/{app_id}/fork")
    assert status == 201
    assert copy["id"] != app["id"]
    assert copy["chatId"] != app["chatId"]
    files = f"/v1/apps/{copy['id']}/files"
    assert (await api.get(files))[1] == {"files": {"src/App.tsx": "1\n"}, "omitted": ["logo.png"]}
    await api.client.patch(files, json={"files": {"src/App.tsx": "2\n"}})
    async with api.client.delete(f"/v1/apps/{app_id}") as response:
        assert response.status == 200
    assert (await api.get(files))[1]["files"] == {"src/App.tsx": "2\n"}
    assert (await api.get(f"/v1/apps/{app_id}"))[0] == 404


async def test_files_are_written_and_taken_away_and_others_stay(api: Api) -> None:
    path = f"/v1/apps/{await app_with(api, {'a.ts': b'1', 'b.ts': b'2'})}/files"
    new = {"files": {"b.ts": None, "src/c.ts": "ünï\r\n\x00 🚀", "./src//d.ts": ""}}
    async with api.client.patch(path, json=new) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["files"] == {"a.ts": "1", "src/c.ts": "ünï\r\n\x00 🚀", "src/d.ts": ""}
    assert (await api.get(path))[1] == answer


async def test_what_is_written_into_a_built_app_is_in_its_sandbox_too(api: Api) -> None:
    built = await stream(api, GENERATE, PROMPT)
    path = f"/v1/apps/{built[-1]['appId']}/files"
    await api.client.patch(path, json={"files": {"src/New.tsx": "1\n"}})
    assert api.provider.made[0].contents[ProjectPath.parse("src/New.tsx")] == b"1\n"


async def test_many_who_write_at_once_lose_nothing_of_each_other(api: Api) -> None:
    built = await stream(api, GENERATE, PROMPT)
    path = f"/v1/apps/{built[-1]['appId']}/files"

    async def write(number: int) -> int:
        body = {"files": {f"src/File{number}.ts": "x", "src/same.ts": f"{number}\n"}}
        async with api.client.patch(path, json=body) as response:
            return response.status

    assert await asyncio.gather(*(write(number) for number in range(12))) == [200] * 12
    files = (await api.get(path))[1]["files"]
    assert {f"src/File{number}.ts" for number in range(12)} <= set(files)
    sandbox = api.provider.made[0].contents
    # What the app holds is what is shown, whoever came last.
    assert sandbox[ProjectPath.parse("src/same.ts")].decode() == files["src/same.ts"]


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../../x", "~/x", "a\0b", "a\\b", "C:\\x", "src/", ".env",
        "src/.env.local", "con", "x" * 2000, *sorted(PROTECTED), "sub/.git/hooks/x",
    ],
)  # fmt: skip
async def test_a_path_that_may_not_be_written_is_refused_and_nothing_is(
    api: Api, path: str
) -> None:
    files = f"/v1/apps/{await app_with(api, {'a.ts': b'1'})}/files"
    async with api.client.patch(files, json={"files": {"ok.ts": "x", path: "x"}}) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "invalid_request"
    assert (await api.get(files))[1]["files"] == {"a.ts": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"files": {"a\\ud800.ts": "x"}}',
        b'{"files": {"a.ts": "\\udfff"}}',
        b'{"files": {}}',
        b'{"files": []}',
        b'{"files": {"a.ts": 1}}',
        b'{"files": {"a.ts": ["x"]}}',
        b'{"files": null}',
        b"{}",
        b"[]",
        b"\xff",
    ],
)
async def test_files_that_are_none_are_refused(api: Api, body: bytes) -> None:
    files = f"/v1/apps/{await app_with(api, {'a.ts': b'1'})}/files"
    headers = {"Content-Type": "application/json"}
    async with api.client.patch(files, data=body, headers=headers) as response:
        assert response.status == 400
    assert (await api.get(files))[1]["files"] == {"a.ts": "1"}


async def test_more_files_than_are_taken_are_refused_at_once(api: Api) -> None:
    files = f"/v1/apps/{await app_with(api, {})}/files"
    body = {"files": {f"a{number}.ts": "" for number in range(10_001)}}
    async with api.client.patch(files, json=body) as response:
        assert response.status == 400
        assert "10,000" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ({"prompt": ""}, 400, "invalid_request"),
        ({"prompt": " \n"}, 400, "invalid_request"),
        ({"prompt": 1}, 400, "invalid_request"),
        ({"prompt": "x" * 1_000_000}, 400, "invalid_request"),
        ({**PROMPT, "workspaceContextOverride": "x" * 1_000_000}, 400, "invalid_request"),
        ({**PROMPT, "workspaceContextOverride": 5}, 400, "invalid_request"),
        ({**PROMPT, "augmenters": ["x"] * 21}, 400, "invalid_request"),
        ({**PROMPT, "augmenters": "seo"}, 400, "invalid_request"),
        ({**PROMPT, "template": "cobol"}, 422, "unprocessable"),
        ({**PROMPT, "modelOverride": ""}, 400, "invalid_request"),
        ({**PROMPT, "modelOverride": "a b"}, 400, "invalid_request"),
        ({**PROMPT, "modelOverride": "x\n"}, 400, "invalid_request"),
        ({**PROMPT, "modelOverride": "x" * 129}, 400, "invalid_request"),
        ({**PROMPT, "chatId": "chat_none"}, 404, "not_found"),
        ({**PROMPT, "chatId": ""}, 400, "invalid_request"),
    ],
)
async def test_what_can_not_be_built_is_refused_and_leaves_no_app(
    api: Api, body: Any, status: int, code: str
) -> None:
    found, answer = await api.post(GENERATE, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert set(answer["error"]) == {"code", "message", "type", "requestId"}
    assert (await api.get("/v1/apps"))[1]["data"] == []


async def test_another_model_may_be_named_and_is_asked(api: Api) -> None:
    body = {**PROMPT, "modelOverride": "claude-other-1", "template": "react", "unknown": 1}
    told = await stream(api, GENERATE, body)
    assert told[-1]["type"] == "ready"
    said = await api.engine.store.events(told[0]["runId"], 0, 10_000)
    used = {each.event.model for each in said if isinstance(each.event, Usage)}
    assert used == {"claude-other-1"}
    assert (await api.get("/v1/apps"))[1]["data"][0]["template"] == "vite-react-ts"


def test_context_that_comes_along_is_told_under_the_prompt() -> None:
    assert with_context("p", None) == with_context("p", "") == with_context("p", {}) == "p"
    assert with_context("p", "uses pnpm").startswith("p\n\n")
    assert with_context("p", {"a": ["é"]}).endswith('\n{"a": ["é"]}')


async def test_another_accounts_apps_and_chats_are_not_there(api: Api) -> None:
    mine = await token(api, "mine", plan="pro")
    theirs = await token(api, "theirs", plan="pro")
    built = await stream(api, GENERATE, PROMPT, headers=mine)
    app_id, run_id = built[-1]["appId"], built[0]["runId"]
    _, app = await api.get(f"/v1/apps/{app_id}", headers=mine)
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"/v1/apps/{app_id}", None),
        ("DELETE", f"/v1/apps/{app_id}", None),
        ("GET", f"/v1/apps/{app_id}/files", None),
        ("PATCH", f"/v1/apps/{app_id}/files", {"files": {"a.ts": "x"}}),
        ("POST", f"/v1/apps/{app_id}/fork", None),
        ("POST", f"/v1/chats/{app['chatId']}/messages", PROMPT),
        ("POST", GENERATE, {**PROMPT, "chatId": app["chatId"]}),
        ("GET", f"/v1/runs/{run_id}", None),
        ("GET", f"/v1/runs/{run_id}/events", None),
        ("POST", f"/v1/runs/{run_id}/cancel", None),
        ("POST", f"/v1/runs/{run_id}/rollback", None),
    ]
    for headers in (theirs, {}):
        for method, path, body in asked:
            async with api.client.request(method, path, json=body, headers=headers) as answer:
                assert answer.status == 404, (method, path)
                told = (await answer.json())["error"]
            unknown = path.replace(app_id, "app_x").replace(run_id, "run_x")
            unknown = unknown.replace(app["chatId"], "chat_x")
            other = {**body, "chatId": "chat_x"} if body and "chatId" in body else body
            async with api.client.request(method, unknown, json=other, headers=headers) as answer:
                nothing = (await answer.json())["error"]
            # What is not theirs is told as what isn't there at all.
            for name in (app_id, run_id, app["chatId"]):
                told["message"] = told["message"].replace(name, f"{name.partition('_')[0]}_x")
            assert told["message"] == nothing["message"]
        assert (await api.get("/v1/apps", headers=headers))[1]["data"] == []
    _, same = await api.get(f"/v1/apps/{app_id}", headers=mine)
    assert same == app


@pytest.mark.parametrize(
    "hostile", ["%00", "%ed%a0%80", "..%2f..%2fetc", "%0d%0aX-A:1", "a" * 3000]
)
async def test_an_id_may_be_anything_and_is_not_found(api: Api, hostile: str) -> None:
    from yarl import URL

    for path in ("apps/{}", "apps/{}/files", "runs/{}", "runs/{}/events"):
        url = URL(f"{api.url}/v1/{path.format(hostile)}", encoded=True)
        async with api.client.get(url) as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "not_found"
            assert "X-A" not in response.headers


async def test_every_failure_under_v1_has_the_envelope(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"body_limit_bytes": 1000})) as api:
        asked: list[tuple[str, str, dict[str, Any], int]] = [
            ("GET", "/v1/nothing", {}, 404),
            ("GET", "/v1/", {}, 404),
            ("GET", "/v1", {}, 404),
            ("PUT", "/v1/apps", {}, 405),
            ("GET", GENERATE, {}, 405),
            (
                "POST",
                GENERATE,
                {"data": b"x" * 2000, "headers": {"Content-Type": "application/json"}},
                413,
            ),
            ("POST", GENERATE, {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
            (
                "POST",
                GENERATE,
                {"data": b"{", "headers": {"Content-Type": "application/json"}},
                400,
            ),
            ("GET", "/v1/apps", {"headers": {"Authorization": "Bearer x"}}, 401),
            ("GET", "/v1/apps", {"headers": {"Origin": "https://evil.example"}}, 403),
            ("GET", "/v1/apps", {"headers": {"Host": "evil.example"}}, 421),
        ]
        for method, path, options, status in asked:
            async with api.client.request(method, path, **options) as response:
                assert response.status == status, (method, path)
                answer = await response.json()
                assert list(answer) == ["error"]
                assert {"code", "message", "type", "requestId"} <= set(answer["error"])
                assert answer["error"]["requestId"] == response.headers["X-Request-Id"]


async def test_an_account_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    import msgspec

    from forge_lsp.settings import LimitSettings

    chosen = msgspec.structs.replace(settings(), limits=LimitSettings(free_requests_per_minute=1))
    async with serving(tmp_path, chosen) as api:
        headers = await token(api)
        await api.get("/v1/apps", headers=headers)
        async with api.client.get("/v1/apps", headers=headers) as response:
            error = (await response.json())["error"]
            assert (response.status, error["code"]) == (429, "rate_limited")
            assert error["retryAfterMs"] == int(response.headers["Retry-After"]) * 1000
