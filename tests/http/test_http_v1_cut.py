"""A build whose connection is cut at every line in turn, and taken up again by cursor."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from http_serving import Api, serving, settings
from http_v1 import lines, said
from msgspec.structs import replace

GENERATE = "/v1/apps/generate"
BUILDS_AT_ONCE = 4
PROMPT = {"prompt": "A landing page with pricing and a footer"}


@dataclass(frozen=True)
class Servers:
    """Where builds are started, and who is asked for the rest: the same or another."""

    started_on: Api
    asked: Api


@pytest.fixture(params=["the same server", "another on SQLite", "another on PostgreSQL"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Servers]:
    url: str | None = None
    async with AsyncExitStack() as stack:
        if request.param == "another on SQLite":
            url = f"sqlite:///{tmp_path}/shared.db"
        elif request.param == "another on PostgreSQL":
            cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(cluster.database())
        chosen = replace(settings(pace_s=0.001), database_url=url)
        one = await stack.enter_async_context(serving(tmp_path / "one", chosen))
        other = one
        if url is not None:
            other = await stack.enter_async_context(serving(tmp_path / "other", chosen))
        yield Servers(one, other)


async def cut_after(api: Api, count: int) -> bytes:
    """The first lines of a new build, whose connection is cut right behind them."""
    async with api.client.post(GENERATE, json=PROMPT) as response:
        assert response.status == 200, await response.text()
        got = b""
        for _ in range(count):
            got += await response.content.readline()
        response.close()
    return got


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_build_that_is_cut_at_any_line_is_joined_to_the_same_bytes(
    servers: Servers,
) -> None:
    async with servers.started_on.client.post(GENERATE, json=PROMPT) as response:
        uncut = lines(await response.read())
    at_once = asyncio.Semaphore(BUILDS_AT_ONCE)

    async def cut_and_joined(count: int) -> None:
        async with at_once:
            head = await cut_after(servers.started_on, count)
            last = json.loads(head.splitlines()[-1])
            path = f"/v1/runs/{last['runId']}/events"
            rest = await said(servers.asked, f"{path}?cursor={last['id']}")
            joined = lines(head + rest)
            assert [line["type"] for line in joined] == [line["type"] for line in uncut]
            assert head + rest == await said(servers.started_on, path), f"cut after {count} lines"

    async with asyncio.TaskGroup() as cuts:
        for count in range(1, len(uncut)):
            cuts.create_task(cut_and_joined(count))


async def test_a_build_is_cancelled_on_another_server(servers: Servers) -> None:
    head = await cut_after(servers.started_on, 1)
    run_id = json.loads(head)["runId"]
    status, answer = await servers.asked.post(f"/v1/runs/{run_id}/cancel")
    assert status in (200, 202), answer
    rest = lines(await said(servers.asked, f"/v1/runs/{run_id}/events?cursor=1"))
    assert rest[-1]["type"] == "cancelled"
    _, run = await servers.started_on.get(f"/v1/runs/{run_id}")
    assert run["status"] == "cancelled"
