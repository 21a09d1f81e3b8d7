"""/v1/skills and /v1/augmenters: what can be run on an app, and by whom."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from http_serving import Api, serving, settings
from http_v1 import app_with, said, stream, token

from forge_lsp.http.idempotency import KEY
from forge_lsp.http.v1 import skills
from forge_lsp.http.v1.skills import ONE_SUBJECT

BUILT_IN = {
    "critique": {"explain", "review", "a11y-audit", "security", "performance", "test-plan", "copy"},
    "augmenter": {"seo", "geo", "marketing", "a11y", "pwa", "perf", "auth", "payments"},
}
RUN, AUGMENT = "/v1/skills/run", "/v1/augmenters/run"
PROMPT = {"prompt": "A landing page with pricing and a footer"}
OWN = {
    "alias": "tone",
    "title": "Tone of voice",
    "description": "Finds texts that do not sound like us.",
    "kind": "critique",
    "systemPrompt": "Read every text that users see.",
    "sampleArgs": {"audience": "children", "huge": 10**30},
    "tags": ["copy"],
}
COUNTER = b"export default function Counter() {\n  return <button>+</button>;\n}\n"
FORGED = b"""+++
title = "House rules"
description = "Checks the rules of the house."
kind = "critique"
+++
Look for what breaks the rules.
"""


async def built(api: Api, **options: Any) -> dict[str, Any]:
    """An app of the demo model's."""
    told = await stream(api, "/v1/apps/generate", PROMPT, **options)
    _, app = await api.get(f"/v1/apps/{told[-1]['appId']}", **options)
    return app


async def files_of(api: Api, app_id: str) -> dict[str, str]:
    _, answer = await api.get(f"/v1/apps/{app_id}/files")
    return answer["files"]


async def test_all_that_are_built_in_are_listed(api: Api) -> None:
    status, answer = await api.get("/v1/skills")
    assert status == 200
    assert list(answer) == ["data", "nextCursor", "hasMore"]
    assert (answer["nextCursor"], answer["hasMore"]) == (None, False)
    for kind, aliases in BUILT_IN.items():
        listed = {each["alias"] for each in answer["data"] if each["kind"] == kind}
        assert listed == aliases
    assert not any(each["custom"] for each in answer["data"])


async def test_skills_are_listed_by_the_page(api: Api) -> None:
    seen: list[str] = []
    params: dict[str, str] = {"limit": "4"}
    while True:
        _, page = await api.get("/v1/skills", params=params)
        seen += [each["alias"] for each in page["data"]]
        if not page["hasMore"]:
            break
        params["cursor"] = page["nextCursor"]
    assert seen == sorted(BUILT_IN["critique"] | BUILT_IN["augmenter"])


async def test_a_skill_of_ones_own_is_kept_marked_and_run(api: Api) -> None:
    status, made = await api.post("/v1/skills", OWN)
    assert status == 201
    assert made == {
        "alias": "tone",
        "title": "Tone of voice",
        "description": "Finds texts that do not sound like us.",
        "kind": "critique",
        "tags": ["copy"],
        "sampleArgs": {"audience": "children", "huge": 10**30},
        "custom": True,
        "origin": "account",
    }
    _, answer = await api.get("/v1/skills")
    assert made in answer["data"]
    told = await stream(api, RUN, {"alias": "tone", "text": "Buy now!!!"})
    assert told[-1]["type"] == "done"
    # The same alias again is the same skill, brought up to date.
    status, again = await api.post("/v1/skills", {**OWN, "title": "Tone"})
    assert (status, again["title"]) == (201, "Tone")
    assert [e["title"] for e in (await api.get("/v1/skills"))[1]["data"] if e["custom"]] == ["Tone"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"alias": "seo"}, 409, "conflict"),
        ({"alias": "review"}, 409, "conflict"),
        ({"alias": "Tone"}, 400, "invalid_request"),
        ({"alias": "../tone"}, 400, "invalid_request"),
        ({"alias": "a" * 65}, 400, "invalid_request"),
        ({"alias": "tone\n"}, 400, "invalid_request"),
        ({"alias": "tone\0"}, 400, "invalid_request"),
        ({"alias": ""}, 400, "invalid_request"),
        ({"alias": None}, 400, "invalid_request"),
        ({"kind": "admin"}, 400, "invalid_request"),
        ({"title": " "}, 400, "invalid_request"),
        ({"title": "x" * 101}, 400, "invalid_request"),
        ({"systemPrompt": "\x00"}, 400, "invalid_request"),
        ({"systemPrompt": "x" * 40_001}, 400, "invalid_request"),
        ({"systemPrompt": "x" * 1_000_000}, 400, "invalid_request"),
        ({"sampleArgs": "x" * 20_001}, 400, "invalid_request"),
        ({"tags": ["x"] * 17}, 400, "invalid_request"),
        ({"tags": [""]}, 400, "invalid_request"),
        ({"tags": "copy"}, 400, "invalid_request"),
    ],
)
async def test_a_skill_that_can_not_be_taken_is_refused(
    api: Api, change: dict[str, Any], status: int, code: str
) -> None:
    found, answer = await api.post("/v1/skills", {**OWN, **change})
    assert (found, answer["error"]["code"]) == (status, code)
    assert not any(each["custom"] for each in (await api.get("/v1/skills"))[1]["data"])


async def test_an_account_keeps_only_so_many_skills(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skills, "MOST_IN_ACCOUNT", 2)
    for alias, status in (("a", 201), ("b", 201), ("c", 409), ("a", 201)):
        assert (await api.post("/v1/skills", {**OWN, "alias": alias}))[0] == status
    theirs = await token(api, "theirs")
    assert (await api.post("/v1/skills", OWN, headers=theirs))[0] == 201


async def test_a_critique_of_an_app_streams_text_and_insights(api: Api) -> None:
    app = await built(api)
    told = await stream(api, RUN, {"alias": "review", "appId": app["id"]})
    kinds = {line["type"] for line in told}
    assert {"progress", "chunk", "insight", "done"} == kinds
    assert told[-1]["tokensUsed"] > 0
    files = await files_of(api, app["id"])
    for line in told:
        if line["type"] == "insight" and "line" in line["insight"]:
            insight = line["insight"]
            assert 1 <= insight["line"] <= files[insight["path"]].count("\n")
    assert await files_of(api, app["id"]) == files


async def test_what_a_critique_said_is_replayed_byte_for_byte(api: Api) -> None:
    app = await built(api)
    body = {"alias": "review", "appId": app["id"]}
    async with api.client.post(RUN, json=body, headers={KEY: "k"}) as response:
        run_id, data = response.headers["X-Run-Id"], await response.read()
    assert await said(api, f"/v1/runs/{run_id}/events") == data
    async with api.client.post(RUN, json=body, headers={KEY: "k"}) as again:
        assert (again.headers["X-Run-Id"], await again.read()) == (run_id, data)


async def test_a_critique_in_a_chat_is_remembered_there(api: Api) -> None:
    app = await built(api)
    await stream(api, RUN, {"alias": "review", "chatId": app["chatId"]})
    turns = await api.engine.store.messages(app["chatId"], limit=10)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2


async def test_a_preview_of_ones_own_is_looked_at(api: Api) -> None:
    app = await built(api)
    for url in (app["previewUrl"], app["previewUrl"] + "about?x=1#y"):
        told = await stream(api, RUN, {"alias": "review", "url": url})
        assert told[-1]["type"] == "done"
    await api.post("/api/sandbox/kill", {})
    status, answer = await api.post(RUN, {"alias": "review", "url": app["previewUrl"]})
    assert (status, answer["error"]["code"]) == (422, "unprocessable")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "http://127.0.0.1/sb_9/",
        "http://127.0.0.1/sb_1x/",
        "http://127.0.0.1/sb_1/@evil.example",
        "http://127.0.0.1:22/sb_1/",
        "http://127.0.0.1/sb_1@evil.example/",
        "http://127.0.0.1@evil.example/sb_1/",
        "http://127.0.0.1.evil.example/sb_1/",
        "http://0x7f000001/sb_1/",
        "http://[::1]/sb_1/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//127.0.0.1/sb_1/",
        "http://[",
        "http://127.0.0.1:99999999/",
        "",
        "\0",
        "x" * 100_000,
    ],
)
async def test_another_address_is_never_looked_at(api: Api, url: str) -> None:
    theirs = await token(api, "theirs")
    await api.post("/api/sandbox/create")
    asked: list[dict[str, str]] = [{}, theirs]
    if url == "http://127.0.0.1/sb_1/@evil.example":
        # That is a page of the first sandbox's, whose owner alone may have it looked at.
        asked = [theirs]
    for headers in asked:
        status, answer = await api.post(RUN, {"alias": "review", "url": url}, headers=headers)
        assert (status, answer["error"]["code"]) == (422, "unprocessable")
    assert await api.engine.runs.recent(limit=1) == []


async def test_another_accounts_preview_is_not_looked_at(api: Api) -> None:
    _, made = await api.post("/api/sandbox/create")
    body = {"alias": "review", "url": made["url"]}
    status, _ = await api.post(RUN, body, headers=await token(api, "theirs"))
    assert status == 422


async def test_a_text_is_looked_at(api: Api) -> None:
    told = await stream(api, RUN, {"alias": "copy", "text": "Welcome", "args": {"to": "kids"}})
    assert "chunk" in {line["type"] for line in told}
    assert told[-1]["type"] == "done"


@pytest.mark.parametrize(
    "subjects",
    [
        {},
        {"appId": None, "text": None},
        {"appId": "a", "text": "x"},
        {"appId": "a", "chatId": "b"},
        {"url": "http://127.0.0.1/", "text": "x"},
        {"appId": "a", "chatId": "b", "url": "c", "text": "d"},
    ],
)
@pytest.mark.parametrize("path", [RUN, AUGMENT])
async def test_exactly_one_subject_is_asked_for(
    api: Api, path: str, subjects: dict[str, Any]
) -> None:
    status, answer = await api.post(path, {"alias": "seo", **subjects})
    assert (status, answer["error"]["message"]) == (400, ONE_SUBJECT)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (RUN, {}, 400),
        (RUN, {"alias": ""}, 400),
        (RUN, {"alias": 1, "text": "x"}, 400),
        (RUN, {"alias": "none", "text": "x"}, 404),
        (RUN, {"alias": "seo", "text": "x"}, 400),
        (RUN, {"alias": "copy", "text": " "}, 400),
        (RUN, {"alias": "copy", "text": "x" * 1_000_000}, 400),
        (RUN, {"alias": "copy", "text": "x", "args": "x" * 20_001}, 400),
        (RUN, {"alias": "copy", "appId": "app_none"}, 404),
        (RUN, {"alias": "copy", "chatId": "chat_none"}, 404),
        (AUGMENT, {"alias": "seo", "appId": "app_none"}, 404),
        (AUGMENT, {"alias": "seo", "text": "x"}, 422),
        (AUGMENT, {"alias": "seo", "url": "http://127.0.0.1/sb_1/"}, 422),
        (AUGMENT, {"alias": "seo", "appId": "app_none", "dryRun": "yes"}, 400),
    ],
)
async def test_what_can_not_be_run_is_refused(
    api: Api, path: str, body: dict[str, Any], status: int
) -> None:
    found, answer = await api.post(path, body)
    assert found == status
    assert list(answer) == ["error"]
    assert await api.engine.runs.recent(limit=1) == []


@pytest.mark.parametrize("alias", ["review", "none", "../seo", "SEO", "\0"])
async def test_what_is_no_augmenter_is_refused(api: Api, alias: str) -> None:
    app_id = await app_with(api, {"src/Counter.tsx": COUNTER})
    status, answer = await api.post(AUGMENT, {"alias": alias, "appId": app_id})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    body = {**PROMPT, "augmenters": ["seo", alias]}
    status, answer = await api.post("/v1/apps/generate", body)
    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    assert len((await api.get("/v1/apps"))[1]["data"]) == 1


async def test_a_dry_run_tells_what_would_come_and_go_and_writes_nothing(api: Api) -> None:
    app = await built(api)
    before = await files_of(api, app["id"])
    sandbox = dict(api.provider.made[0].contents)
    told = await stream(api, AUGMENT, {"alias": "a11y", "appId": app["id"], "dryRun": True})
    written = [line for line in told if line["type"] == "file_written"]
    assert written
    for line in written:
        assert line["status"] in ("created", "modified", "unchanged")
        assert line["added"] + line["removed"] > 0
    assert told[-1]["type"] == "done"
    assert await files_of(api, app["id"]) == before
    assert api.provider.made[0].contents == sandbox
    status, _ = await api.post(f"/v1/runs/{told[0]['runId']}/rollback")
    assert status == 404


async def test_an_augmenter_changes_the_app_and_its_sandbox_and_is_rolled_back(api: Api) -> None:
    app = await built(api)
    before = await files_of(api, app["id"])
    sandbox = dict(api.provider.made[0].contents)
    told = await stream(api, AUGMENT, {"alias": "a11y", "chatId": app["chatId"]})
    written = {line["path"]: line["status"] for line in told if line["type"] == "file_written"}
    assert "modified" in written.values()
    assert not any("added" in line for line in told)
    after = await files_of(api, app["id"])
    assert {path for path in after if after[path] != before.get(path)} == set(written)
    assert api.provider.made[0].contents != sandbox
    status, answer = await api.post(f"/v1/runs/{told[0]['runId']}/rollback")
    assert (status, set(answer["restored"])) == (200, set(written))
    assert await files_of(api, app["id"]) == before
    assert api.provider.made[0].contents == sandbox


async def test_a_build_carries_out_its_augmenters_in_their_order(api: Api) -> None:
    told = await stream(api, "/v1/apps/generate", {**PROMPT, "augmenters": ["a11y", "perf"]})
    changed = [(each["alias"], each["status"]) for each in told if each["type"] == "augmenter"]
    assert changed == [
        ("a11y", "queued"),
        ("perf", "queued"),
        ("a11y", "started"),
        ("a11y", "applied"),
        ("perf", "started"),
        ("perf", "applied"),
    ]
    assert told[-1]["type"] == "ready"


async def test_the_skills_of_an_app_are_its_own_and_marked(api: Api) -> None:
    app_id = await app_with(api, {"src/Counter.tsx": COUNTER, ".forge/skills/rules.md": FORGED})
    _, answer = await api.get("/v1/skills", params={"appId": app_id})
    [rules] = [each for each in answer["data"] if each["custom"]]
    assert (rules["alias"], rules["origin"]) == ("rules", "workspace")
    assert not any(each["custom"] for each in (await api.get("/v1/skills"))[1]["data"])
    told = await stream(api, RUN, {"alias": "rules", "appId": app_id})
    assert told[-1]["type"] == "done"
    assert (await api.post(RUN, {"alias": "rules", "text": "x"}))[0] == 404
    theirs = await token(api, "theirs")
    status, _ = await api.get("/v1/skills", params={"appId": app_id}, headers=theirs)
    assert status == 404


async def test_another_accounts_skills_and_apps_are_not_there(api: Api) -> None:
    mine, theirs = await token(api, "mine"), await token(api, "theirs")
    app_id = await app_with(api, {"src/Counter.tsx": COUNTER}, "mine")
    assert (await api.post("/v1/skills", OWN, headers=mine))[0] == 201
    for headers in (theirs, {}):
        _, answer = await api.get("/v1/skills", headers=headers)
        assert not any(each["custom"] for each in answer["data"])
        asked: list[tuple[str, dict[str, Any]]] = [
            (RUN, {"alias": "tone", "text": "x"}),
            (RUN, {"alias": "review", "appId": app_id}),
            (AUGMENT, {"alias": "seo", "appId": app_id}),
        ]
        for path, body in asked:
            assert (await api.post(path, body, headers=headers))[0] == 404
    # An alias of another's is no reason that one can't have it, too.
    assert (await api.post("/v1/skills", OWN, headers=theirs))[0] == 201


async def test_talk_in_a_chat_is_answered_remembered_and_changes_nothing(api: Api) -> None:
    app = await built(api)
    before = await files_of(api, app["id"])
    path, question = f"/v1/chats/{app['chatId']}/messages", "What does the header do?"
    told = await stream(api, path, {"prompt": question, "mode": "chat"})
    assert told[-1]["type"] == "done"
    assert "chunk" in {line["type"] for line in told}
    assert await files_of(api, app["id"]) == before
    turns = await api.engine.store.messages(app["chatId"], limit=10)
    assert question in turns[-2].text
    assert turns[-1].text


@pytest.mark.parametrize("prompt", ["review", "/review", "/review be kind", "review\nbe kind"])
async def test_a_skill_is_run_in_a_chat_by_its_alias(api: Api, prompt: str) -> None:
    app_id = await app_with(api, {"src/Counter.tsx": COUNTER})
    _, app = await api.get(f"/v1/apps/{app_id}")
    path = f"/v1/chats/{app['chatId']}/messages"
    told = await stream(api, path, {"prompt": prompt, "mode": "skill"})
    assert told[-1]["type"] == "done"
    assert (await api.engine.runs.recent(limit=1))[0].kind == "skill"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": "none at all", "mode": "skill"}, 404),
        ({"prompt": " ", "mode": "skill"}, 400),
        ({"prompt": " ", "mode": "chat"}, 400),
        ({"prompt": "x" * 1_000_000, "mode": "skill"}, 400),
        ({"prompt": "x" * 1_000_000, "mode": "chat"}, 400),
        ({"prompt": "x", "mode": "shell"}, 400),
        ({"prompt": "x", "mode": "chat", "augmenters": ["seo"]}, 400),
        ({"prompt": "x", "augmenters": ["none"]}, 400),
    ],
)
async def test_a_message_that_can_not_be_taken_is_refused(
    api: Api, body: dict[str, Any], status: int
) -> None:
    app_id = await app_with(api, {"src/Counter.tsx": COUNTER})
    _, app = await api.get(f"/v1/apps/{app_id}")
    found, answer = await api.post(f"/v1/chats/{app['chatId']}/messages", body)
    assert (found, list(answer)) == (status, ["error"])
    assert await api.engine.runs.recent(limit=1) == []


async def test_an_augmenter_that_is_cancelled_leaves_the_app_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=5.0)) as api:
        app_id = await app_with(api, {"src/Counter.tsx": COUNTER})
        before = await files_of(api, app_id)
        body = {"alias": "a11y", "appId": app_id}
        async with api.client.post(AUGMENT, json=body) as response:
            run_id = response.headers["X-Run-Id"]
            # One augmenter at a time, and while it is at it no build.
            assert (await api.post(AUGMENT, body))[0] == 409
            async with asyncio.timeout(20):
                assert (await api.post(f"/v1/runs/{run_id}/cancel"))[0] in (200, 202)
                data = await response.read()
        assert b'"type":"cancelled"' in data.splitlines()[-1]
        assert await files_of(api, app_id) == before
