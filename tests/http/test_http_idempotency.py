"""A request that is sent again with its key is done once, and answered alike."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from http_serving import Api, events_of, payloads, serving, settings, types, until
from memory_sandbox import MemoryProvider

from forge_lsp.actions.accounts import TokenRequest, create_token
from forge_lsp.http.idempotency import KEPT_FOR_MS, KEY, REPLAYED, STREAMED
from forge_lsp.http.needs import NEEDS
from forge_lsp.http.openapi.operations import OPERATIONS
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.store import JournalEntry
from forge_lsp.settings import Places
from forge_lsp.store.sql import default_url, open_store

PROMPT = {"prompt": "Create a React counter component", "isEdit": False}
GENERATE = "/api/generate/stream"
CREATE = "/api/sandbox/create"


def key(text: str = "a-key") -> dict[str, str]:
    return {KEY: text}


async def said(
    api: Api, path: str, body: Any, headers: dict[str, str]
) -> tuple[str, list[dict[str, Any]]]:
    """The run's id and what the stream said but heartbeats."""
    async with api.client.post(path, json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
        events = payloads(await response.read())
        return response.headers["X-Run-Id"], [e for e in events if e["type"] != "heartbeat"]


async def test_an_answer_is_given_again(api: Api) -> None:
    first = await api.post(CREATE, headers=key())
    async with api.client.post(CREATE, headers=key()) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert response.headers[REPLAYED] == "true"
        assert (response.status, await response.json()) == first
    assert len(api.provider.made) == 1
    assert (await api.post(CREATE, headers=key("another")))[1] != first[1]
    assert (await api.post(CREATE))[1] != first[1]
    assert len(api.provider.made) == 3


async def test_a_stream_is_given_again_from_its_run(api: Api) -> None:
    first = await said(api, GENERATE, PROMPT, key())
    assert await said(api, GENERATE, PROMPT, key()) == first
    assert len(await api.engine.runs.recent(limit=9)) == 1
    assert types(first[1])[-1] == "complete"


async def test_an_apply_is_given_again_and_done_once(api: Api) -> None:
    await api.post(CREATE)
    body = {"files": [{"path": "src/a.ts", "content": "1"}]}
    first = await said(api, "/api/apply/stream", body, key())
    api.provider.made[0].contents.clear()
    assert await said(api, "/api/apply/stream", body, key()) == first
    assert api.provider.made[0].contents == {}


async def test_a_stream_that_is_under_way_is_taken_up_again(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.02)) as api:
        response = await api.client.post(GENERATE, json=PROMPT, headers=key())
        run_id = response.headers["X-Run-Id"]
        async for event in events_of(response):
            if event["type"] == "stream":
                break
        response.close()
        assert api.engine.runs.live(run_id) is not None
        again, events = await said(api, GENERATE, PROMPT, key())
        assert again == run_id
        assert types(events)[-1] == "complete"
        indexes = [each["data"]["index"] for each in events if each["type"] == "stream"]
        assert indexes == list(range(len(indexes)))


async def test_requests_at_once_are_one(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.005)) as api:
        found = await asyncio.gather(*(said(api, GENERATE, PROMPT, key()) for _ in range(8)))
        assert all(each == found[0] for each in found)
        made = await asyncio.gather(*(api.post(CREATE, headers=key("c")) for _ in range(8)))
        assert all(each == made[0] for each in made)
        assert len(api.provider.made) == 1
        assert len(await api.engine.runs.recent(limit=20)) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (GENERATE, {**PROMPT, "prompt": "Another"}),
        (GENERATE, {}),
        (f"{GENERATE}?x=1", PROMPT),
        (CREATE, PROMPT),
        (CREATE, None),
    ],
)
async def test_the_same_key_with_another_request_is_a_conflict(
    api: Api, path: str, body: Any
) -> None:
    await said(api, GENERATE, PROMPT, key())
    status, answer = await api.post(path, body, headers=key())
    assert (status, answer["success"]) == (409, False)
    assert len(await api.engine.runs.recent(limit=9)) == 1
    assert api.provider.made == []


async def test_a_conflict_under_v1_has_its_code(api: Api) -> None:
    await api.post(CREATE, headers=key())
    status, answer = await api.post("/v1/runs/x/cancel", headers=key())
    assert (status, answer["error"]["code"]) == (409, "conflict")


async def test_keys_of_one_account_mean_nothing_to_another(api: Api) -> None:
    _, mine = await api.post(CREATE, headers=key())
    text, _ = await create_token(api.engine.store, TokenRequest("ci"))
    theirs = {"Authorization": f"Bearer {text}"}
    _, made = await api.post(CREATE, headers=theirs | key())
    assert made != mine
    assert (await api.post("/api/sandbox/kill", {}, headers=theirs | key("k")))[0] == 200


async def test_a_failure_may_be_tried_again(api: Api) -> None:
    body = {"files": [{"path": "src/a.ts", "content": "1"}]}
    assert (await api.post("/api/apply/stream", body, headers=key()))[0] == 404
    await api.post(CREATE)
    _, events = await said(api, "/api/apply/stream", body, key())
    assert types(events)[-1] == "complete"


class UnwillingProvider(MemoryProvider):
    """Fails the first time, after others had the time to ask for the same."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may_fail = asyncio.Event()

    async def create(self, *given: Any, **named: Any) -> Sandbox:
        self.asked += 1
        if self.asked == 1:
            await self.may_fail.wait()
            raise RuntimeError("a fault of ours")
        return await super().create(*given, **named)


async def test_who_waited_for_a_request_that_failed_does_it(tmp_path: Path) -> None:
    provider = UnwillingProvider()
    async with serving(tmp_path, provider=provider) as api:
        first = asyncio.create_task(api.post(CREATE, headers=key()))
        await until(lambda: provider.asked == 1)
        others = [asyncio.create_task(api.post(CREATE, headers=key())) for _ in range(3)]
        provider.may_fail.set()
        assert (await first)[0] == 500
        answers = await asyncio.gather(*others)
        assert [status for status, _ in answers] == [200] * 3
        assert len({answer["sandboxId"] for _, answer in answers}) == 1
        assert provider.asked == 2


async def _claim(api: Api, tmp_path: Path, owner: str) -> None:
    """Let another process have claimed what the next request asks for."""
    await api.post(CREATE, headers=key())
    another = await open_store(default_url(Places.find(tmp_path)))
    with another._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE answers SET status = NULL, owner = ?", (owner,))
    await another.close()


async def test_what_a_living_process_is_about_to_answer_is_a_conflict(
    api: Api, tmp_path: Path
) -> None:
    stat = Path("/proc/1/stat").read_text()  # noqa: ASYNC240  It is in memory.
    started_at = stat.rpartition(")")[2].split()[19]
    await _claim(api, tmp_path, f"1:{started_at}")
    status, answer = await api.post(CREATE, headers=key())
    assert (status, len(api.provider.made)) == (409, 1)
    assert "still under way" in answer["error"]


async def test_what_a_dead_process_left_unanswered_is_done(api: Api, tmp_path: Path) -> None:
    await _claim(api, tmp_path, f"{os.getpid()}:1")
    assert (await api.post(CREATE, headers=key()))[0] == 200
    assert len(api.provider.made) == 2


async def test_a_run_that_goes_on_elsewhere_is_followed_to_its_end(
    api: Api, tmp_path: Path
) -> None:
    run_id, first = await said(api, GENERATE, PROMPT, key())
    *_, last = [each async for each in api.engine.runs.subscribe(run_id)]
    stat = Path("/proc/1/stat").read_text()  # noqa: ASYNC240  It is in memory.
    owner = f"1:{stat.rpartition(')')[2].split()[19]}"
    another = await open_store(default_url(Places.find(tmp_path)))
    with another._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE seq = ?", (last.seq,))
        connection.exec_driver_sql(
            "UPDATE runs SET outcome = NULL, ended_at = NULL, owner = ?, last_seq = ?",
            (owner, last.seq - 1),
        )
    async with api.client.post(GENERATE, json=PROMPT, headers=key()) as response:
        assert response.headers["X-Run-Id"] == run_id
        events = [await anext(events_of(response))]
        await another.append([JournalEntry(run_id, last)])
        events += [each async for each in events_of(response)]
    await another.close()
    assert [each for each in events if each["type"] != "heartbeat"] == first


async def test_a_run_whose_events_are_kept_no_longer_is_gone(api: Api, tmp_path: Path) -> None:
    run_id, _ = await said(api, GENERATE, PROMPT, key())
    another = await open_store(default_url(Places.find(tmp_path)))
    await another.tidy(keep_days=0, keep_mb=1, compact_after_h=24)
    await another.close()
    status, answer = await api.post(GENERATE, PROMPT, headers=key())
    assert status == 410
    assert run_id in answer["error"]
    assert (await api.get(f"/v1/runs/{run_id}/events"))[0] == 410
    assert (await api.get(f"/v1/runs/{run_id}"))[0] == 200


async def test_after_a_day_a_key_is_new(api: Api, tmp_path: Path) -> None:
    _, first = await api.post(CREATE, headers=key())
    another = await open_store(default_url(Places.find(tmp_path)))
    for aged_ms, is_kept in ((KEPT_FOR_MS - 60_000, True), (60_000, False)):
        with another._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE answers SET claimed_at = claimed_at - ?", (aged_ms,))
        _, again = await api.post(CREATE, headers=key())
        assert (again == first) == is_kept
    await another.close()


async def test_an_answer_outlives_its_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        first = await said(api, GENERATE, PROMPT, key())
        made = await api.post(CREATE, headers=key("c"))
    async with serving(tmp_path) as api:
        assert await said(api, GENERATE, PROMPT, key()) == first
        assert await api.post(CREATE, headers=key("c")) == made
        assert api.provider.made == []


@pytest.mark.parametrize("bad", ["", " ", "a b", "x" * 256, "é", "\x7f"])
async def test_a_key_that_is_none_is_refused(api: Api, bad: str) -> None:
    status, answer = await _post_raw(api, f"{KEY}: {bad}\r\n")
    assert (status, answer["success"]) == (400, False)
    assert api.provider.made == []


async def test_two_keys_are_refused(api: Api) -> None:
    status, _ = await _post_raw(api, f"{KEY}: a\r\n{KEY}: b\r\n")
    assert status == 400


async def _post_raw(api: Api, headers: str) -> tuple[int, Any]:
    """What a client library would not send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"POST {CREATE} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nConnection: close\r\n"
        f"Authorization: Bearer forge_test-token\r\n{headers}Content-Length: 0\r\n\r\n".encode()
    )
    try:
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = int(head.split()[1])
    return status, json.loads(body) if body.startswith(b"{") else {"success": False}


async def test_a_key_opens_no_way_around_the_other_checks(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"body_limit_bytes": 2048})) as api:
        for data, kind, status in (
            (b'{"prompt": "x"}', "text/plain", 415),
            (b'{"prompt": "x"}', "application/x-www-form-urlencoded", 415),
            (b'"' + b"x" * 2047 + b'"', "application/json", 413),
            (b"{", "application/json", 400),
        ):
            headers = key() | {"Content-Type": kind}
            async with api.client.post(GENERATE, data=data, headers=headers) as response:
                assert response.status == status
        for path, status in (("/api/nothing", 404), ("/api/health", 405)):
            assert (await api.post(path, headers=key()))[0] == status
        anonymous = key() | {"Authorization": "Bearer wrong"}
        assert (await api.post(CREATE, headers=anonymous))[0] == 401


async def test_a_get_takes_no_notice_of_a_key(api: Api) -> None:
    for _ in range(2):
        assert (await api.get("/api/sandbox/status", headers=key()))[0] == 404
    await api.post(CREATE, headers=key())
    assert (await api.get("/api/sandbox/status", headers=key()))[0] == 200


async def test_a_store_that_fails_is_said_and_leaves_nobody_waiting(api: Api) -> None:
    await api.engine.store.close()
    for _ in range(2):
        assert (await api.post(CREATE, headers=key()))[0] == 503
    assert api.provider.made == []


def test_every_stream_can_be_told_again() -> None:
    started = {route for route, needs in NEEDS.items() if needs.starts_run}
    streamed = {path for method, path in started if OPERATIONS[method, path].events}
    assert streamed == set(STREAMED)
