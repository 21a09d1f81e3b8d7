"""How much an account may ask for."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from http_serving import Api, events_of, serving, settings, until

from forge_lsp.actions.accounts import TokenRequest, create_token
from forge_lsp.events import Recorded, RunFinished, Usage
from forge_lsp.http.limits import Rates
from forge_lsp.ports.store import JournalEntry, RunRecord
from forge_lsp.settings import LimitSettings, Settings

PROMPT = {"prompt": "Create a React counter component", "isEdit": False}
GENERATE = "/api/generate/stream"
STATUS = "/api/sandbox/status"
DAY_S = 24 * 60 * 60


def limited(*, pace_s: float = 0.0, **limits: int) -> Settings:
    return msgspec.structs.replace(settings(pace_s=pace_s), limits=LimitSettings(**limits))


async def token(api: Api, name: str = "ci", **asked: Any) -> dict[str, str]:
    text, _ = await create_token(api.engine.store, TokenRequest(name, **asked))
    return {"Authorization": f"Bearer {text}"}


async def asked(api: Api, headers: dict[str, str], path: str = GENERATE, body: Any = PROMPT) -> int:
    """The status with which a stream begins; it isn't listened to."""
    async with api.client.post(path, json=body, headers=headers) as response:
        return response.status


async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_requests_per_minute=3)) as api:
        headers, others = await token(api), await token(api, "other")
        for _ in range(3):
            assert (await api.get(STATUS, headers=headers))[0] == 404
        async with api.client.get(STATUS, headers=headers) as response:
            assert response.status == 429
            assert 15 <= int(response.headers["Retry-After"]) <= 20
            assert (await response.json())["success"] is False
        async with api.client.get("/v1/runs/x", headers=headers) as response:
            error = (await response.json())["error"]
            assert (response.status, error["code"]) == (429, "rate_limited")
            assert error["retryAfterMs"] == int(response.headers["Retry-After"]) * 1000
        # A second token of the account is no second bucket; another account has its own.
        second = await token(api, "second", account="ci")
        assert (await api.get(STATUS, headers=second))[0] == 429
        assert (await api.get(STATUS, headers=others))[0] == 404
        for _ in range(10):
            assert (await api.get(STATUS))[0] == 404


async def test_a_plan_has_limits_of_its_own_and_none_is_no_limit(tmp_path: Path) -> None:
    async with serving(
        tmp_path, limited(free_requests_per_minute=1, pro_requests_per_minute=0)
    ) as api:
        free, pro = await token(api), await token(api, "p", plan="pro")
        assert [(await api.get(STATUS, headers=free))[0] for _ in range(2)] == [404, 429]
        assert [(await api.get(STATUS, headers=pro))[0] for _ in range(9)] == [404] * 9


def test_a_bucket_fills_as_time_goes_by_and_no_further() -> None:
    now = 100.0
    rates = Rates(lambda: now)
    assert [rates.take("a", 60) for _ in range(60)] == [0.0] * 60
    assert rates.take("a", 60) == pytest.approx(1.0)
    now += 0.5
    assert rates.take("a", 60) == pytest.approx(0.5)
    assert rates.take("b", 60) == 0.0
    now += 0.5
    assert rates.take("a", 60) == 0.0
    now += 3600
    assert [rates.take("a", 60) == 0.0 for _ in range(61)] == [True] * 60 + [False]
    # A limit that was lowered holds at once.
    now += 3600
    assert [rates.take("a", 2) == 0.0 for _ in range(3)] == [True, True, False]


async def test_runs_at_once_are_limited_until_one_ends(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(pace_s=0.02, free_active_runs=2)) as api:
        headers = await token(api)
        found = await asyncio.gather(
            *(api.client.post(GENERATE, json=PROMPT, headers=headers) for _ in range(5))
        )
        assert sorted(each.status for each in found) == [200, 200, 429, 429, 429]
        assert all("Retry-After" in each.headers for each in found if each.status == 429)
        streams = [each for each in found if each.status == 200]
        # Who leaves a stream doesn't end its run.
        for each in found:
            each.close()
        assert (await api.post(GENERATE, PROMPT, headers=headers))[0] == 429
        assert (await api.get(STATUS, headers=headers))[0] == 404
        run_id = streams[0].headers["X-Run-Id"]
        assert (await api.post(f"/v1/runs/{run_id}/cancel", headers=headers))[0] == 200
        async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
            assert response.status == 200
            assert [each["type"] async for each in events_of(response)][-1] == "complete"


async def test_who_has_heard_the_last_word_may_start_the_next_run(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_active_runs=1)) as api:
        headers = await token(api)
        for _ in range(10):
            async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
                assert response.status == 200
                async for event in events_of(response):
                    if event["type"] == "complete":
                        break


async def test_a_request_that_starts_no_run_takes_no_place(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_active_runs=1)) as api:
        headers = await token(api)
        for _ in range(3):
            assert (await api.post(GENERATE, {}, headers=headers))[0] == 400
        assert await asked(api, headers) == 200


async def test_a_stream_that_is_asked_for_again_takes_no_second_place(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(pace_s=0.02, free_active_runs=1)) as api:
        headers = await token(api) | {"Idempotency-Key": "k"}
        ids: set[str] = set()
        for _ in range(3):
            async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
                assert response.status == 200
                ids.add(response.headers["X-Run-Id"])
        assert len(ids) == 1


async def _run_of_another_process(api: Api, owner: str) -> str:
    run = RunRecord("run_elsewhere", "generate", "", "", owner, 1, account="ci")
    await api.engine.store.create_run(run)
    return run.id


async def test_runs_in_another_process_count_while_it_lives(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_active_runs=1)) as api:
        headers = await token(api)
        stat = Path("/proc/1/stat").read_text()  # noqa: ASYNC240  It is in memory.
        run_id = await _run_of_another_process(api, f"1:{stat.rpartition(')')[2].split()[19]}")
        assert (await api.post(GENERATE, PROMPT, headers=headers))[0] == 429
        last = Recorded(1, 2, RunFinished("completed"))
        await api.engine.store.append([JournalEntry(run_id, last)])
        assert await asked(api, headers) == 200


async def test_runs_of_a_dead_process_do_not_count(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_active_runs=1)) as api:
        headers = await token(api)
        await _run_of_another_process(api, "1:0")
        assert await asked(api, headers) == 200


async def test_the_tokens_of_a_day_are_used_up_by_runs(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_tokens_per_day=1)) as api:
        headers, others = await token(api), await token(api, "other")
        await api.post("/api/sandbox/create", headers=headers)
        async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
            assert response.status == 200
            await response.read()
        async with api.client.post(GENERATE, json=PROMPT, headers=headers) as response:
            assert response.status == 403
            assert 1 <= int(response.headers["Retry-After"]) <= DAY_S
            assert "1 tokens that may be used in a day" in (await response.json())["error"]
        # What asks no model goes on, and so do others.
        body = {"files": [{"path": "src/a.ts", "content": "1"}]}
        assert await asked(api, headers, "/api/apply/stream", body) == 200
        assert await asked(api, others) == 200
        assert await asked(api, {}) == 200


async def test_what_was_used_yesterday_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path, limited(free_tokens_per_day=1)) as api:
        headers = await token(api)
        await _run_of_another_process(api, "1:0")
        used = Recorded(1, 2, Usage("m", 1000, 1000))
        await api.engine.store.append([JournalEntry("run_elsewhere", used)])
        assert await asked(api, headers) == 200


async def test_the_owner_has_no_limits(tmp_path: Path) -> None:
    least = {
        f"{plan}_{what}": 1
        for plan in ("free", "pro")
        for what in ("requests_per_minute", "active_runs", "tokens_per_day")
    }
    async with serving(tmp_path, limited(pace_s=0.01, **least)) as api:
        own = await token(api, "phone", account="owner")
        for headers in ({}, own, {}, own):
            assert await asked(api, headers) == 200
        await until(lambda: api.engine.runs.under_way == 0)
        assert await asked(api, {}) == 200
