"""GET /v1/runs/{id}/events: any cursor, live or replayed, gives the same bytes."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from http_serving import TOKEN, Api, serving, settings, until
from http_v1 import bare, begin, lines, said, token

from forge_lsp import events
from forge_lsp.events import PlannedFile, RunFinished
from forge_lsp.http.state import STREAMS
from forge_lsp.runs import Run
from forge_lsp.settings import Places
from forge_lsp.store.sql import default_url, open_store

BUILT = [
    events.Stage("Planning..."),
    events.Planned("Landing page", (PlannedFile("src/App.tsx", "The page"),)),
    events.FileFinished("src/App.tsx", "export default 1;\n"),
    events.Usage("m", 1, 2),
    events.Reviewed("Looks good."),
]
READY = RunFinished("completed", app_id="app_1", preview_url="http://127.0.0.1:1/")
LAST_SEQ = len(BUILT) + 2


async def built(api: Api) -> str:
    run = await begin(api, "build", BUILT, READY)
    async with asyncio.timeout(20):
        await run.finished()
    return f"/v1/runs/{run.id}/events"


async def test_a_run_is_told_from_its_start_to_its_last_word(api: Api) -> None:
    path = await built(api)
    async with api.client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        run_id = response.headers["X-Run-Id"]
        data = await response.read()
    told = lines(data)
    assert run_id in path
    assert {line["runId"] for line in told} == {run_id}
    assert [line["id"] for line in told] == [3, 4, 6, 7]
    assert bare(told) == [
        {
            "type": "plan",
            "summary": "Landing page",
            "manifest": [{"path": "src/App.tsx", "purpose": "The page"}],
        },
        {"type": "file", "path": "src/App.tsx", "contents": "export default 1;\n"},
        {"type": "review", "notes": "Looks good.", "patched": []},
        {"type": "ready", "appId": "app_1", "previewUrl": "http://127.0.0.1:1/"},
    ]


async def test_every_cursor_gives_the_rest_byte_for_byte(api: Api) -> None:
    path = await built(api)
    whole = await said(api, path)
    of_each = {json.loads(line)["id"]: line for line in whole.splitlines(keepends=True)}
    for cursor in range(LAST_SEQ):
        rest = b"".join(line for at, line in of_each.items() if at > cursor)
        assert await said(api, f"{path}?cursor={cursor}") == rest


@pytest.mark.parametrize("cursor", [LAST_SEQ, LAST_SEQ + 1, 10**14])
async def test_past_the_end_the_last_word_comes_again(api: Api, cursor: int) -> None:
    told = lines(await said(api, f"{await built(api)}?cursor={cursor}"))
    assert [(line["type"], line["id"]) for line in told] == [("ready", LAST_SEQ)]


async def test_the_same_comes_as_server_sent_events_and_goes_on_after_the_last_id(
    api: Api,
) -> None:
    path, accept = await built(api), {"Accept": "text/event-stream"}
    whole = await said(api, path)
    async with api.client.get(path, headers=accept) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        data = await response.text()
    blocks = data.removesuffix("\n\n").split("\n\n")
    told = [block.split("\n") for block in blocks]
    assert [line[0] for line in told] == ["id: 3", "id: 4", "id: 6", "id: 7"]
    assert "".join(line[1].removeprefix("data: ") + "\n" for line in told) == whole.decode()
    for at in (4, 5):
        # Who reconnects by itself asks for the same URL again.
        headers = accept | {"Last-Event-ID": str(at)}
        rest = await said(api, f"{path}?cursor=1", headers=headers)
        assert rest.decode() == "\n\n".join(blocks[2:]) + "\n\n"


@pytest.mark.parametrize(
    "cursor", ["", " ", "x", "-1", "+1", "1.0", "1e3", "0x1", "\u0661", "9" * 16, "9" * 5000, "1\0"]
)
async def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    path = await built(api)
    status, answer = await api.get(path, params={"cursor": cursor})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    if cursor.strip().isascii() and "\0" not in cursor and cursor.strip():
        status, answer = await api.get(path, headers={"Last-Event-ID": cursor})
        assert (status, answer["error"]["code"]) == (400, "invalid_request")


async def test_a_run_under_way_is_waited_for_and_told_alike(tmp_path: Path) -> None:
    may_end = asyncio.Event()

    async def work(run: Run) -> None:
        await run.append(events.TextDelta("one", 0))
        await may_end.wait()
        await run.append(events.TextDelta("two", 1))

    async with serving(tmp_path) as api:
        run = await api.engine.runs.start(work, kind="skill", title="x", project="")
        path = f"/v1/runs/{run.id}/events"
        async with (
            api.client.get(path) as first,
            api.client.get(f"{path}?cursor=2") as second,
            api.client.get(f"{path}?cursor=1000") as ahead,
        ):
            assert json.loads(await first.content.readline())["delta"] == "one"
            await until(lambda: run.listeners == 3)
            may_end.set()
            rest = await first.read()
            assert [line["type"] for line in lines(rest)] == ["chunk", "done"]
            assert await second.read() == rest
            # Whoever is ahead of the run hears at least how it ended.
            assert [line["type"] for line in lines(await ahead.read())] == ["done"]
        whole = await said(api, path)
        assert whole.endswith(rest)
        assert [line["type"] for line in lines(whole)] == ["chunk", "chunk", "done"]


async def test_a_cancelled_run_ends_with_cancelled(api: Api) -> None:
    async def work(run: Run) -> None:
        await run.append(events.TextDelta("one", 0))
        await asyncio.Event().wait()

    run = await api.engine.runs.start(work, kind="build", title="x", project="")
    async with api.client.get(f"/v1/runs/{run.id}/events") as response:
        assert (await api.post(f"/v1/runs/{run.id}/cancel"))[0] == 200
        assert bare(lines(await response.read())) == [{"type": "cancelled"}]


async def test_another_accounts_run_is_not_there(api: Api) -> None:
    mine, theirs = await token(api, "mine"), await token(api, "theirs")
    run = await begin(api, "build", BUILT, READY, account="mine")
    await run.finished()
    for path in (f"/v1/runs/{run.id}/events", f"/v1/runs/{run.id}/events?cursor=1"):
        assert lines(await said(api, path, headers=mine))
        for headers in (theirs, {}):
            status, answer = await api.get(path, headers=headers)
            assert (status, answer["error"]["code"]) == (404, "not_found")
    assert (await api.get("/v1/runs/run_none/events"))[0] == 404


async def test_a_journal_that_is_kept_no_longer_is_gone(api: Api, tmp_path: Path) -> None:
    path = await built(api)
    another = await open_store(default_url(Places.find(tmp_path)))
    with another._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events")
        connection.exec_driver_sql("UPDATE runs SET journal = 'removed'")
    await another.close()
    for asked in (path, f"{path}?cursor=3", f"{path}?cursor=99"):
        status, answer = await api.get(asked)
        assert (status, answer["error"]["code"]) == (410, "gone")


async def test_there_is_no_head_of_a_stream(api: Api) -> None:
    async with api.client.head(await built(api)) as response:
        assert response.status == 405


async def test_a_run_of_another_server_is_followed_to_its_end(api: Api, tmp_path: Path) -> None:
    """Two servers on one store: the one is asked about what the other does."""
    stat = Path("/proc/1/stat").read_text()  # noqa: ASYNC240  It is in memory.
    owner = f"1:{stat.rpartition(')')[2].split()[19]}"
    path = await built(api)
    whole = await said(api, path)
    another = await open_store(default_url(Places.find(tmp_path)))
    with another._engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE later AS SELECT * FROM events WHERE seq > 4")
        connection.exec_driver_sql("DELETE FROM events WHERE seq > 4")
        connection.exec_driver_sql(
            "UPDATE runs SET outcome = NULL, ended_at = NULL, owner = ?", (owner,)
        )
    async with api.client.get(path) as response:
        head = await response.content.readline() + await response.content.readline()
        with another._engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO events SELECT * FROM later")
            connection.exec_driver_sql("UPDATE runs SET outcome = 'completed', ended_at = 1")
        assert head + await response.read() == whole
    await another.close()


async def test_whichever_server_is_asked_says_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        path = await built(api)
        whole = await said(api, path)
    async with serving(tmp_path) as api:
        assert await said(api, path) == whole


async def test_a_server_that_stops_says_so_and_the_cursor_still_stands(tmp_path: Path) -> None:
    async def work(run: Run) -> None:
        await run.append(events.TextDelta("one", 0))
        await asyncio.Event().wait()

    async with serving(tmp_path) as api:
        run = await api.engine.runs.start(work, kind="skill", title="x", project="")
        async with api.client.get(f"/v1/runs/{run.id}/events") as response:
            first = json.loads(await response.content.readline())
            await api.doorway.close()
            last = lines(await response.read())[-1]
    assert (last["type"], last["code"], last["id"]) == ("error", "unavailable", first["id"])


@pytest.mark.parametrize(
    ("accept", "blank"), [("application/x-ndjson", b"\n"), ("text/event-stream", b":\n")]
)
async def test_silence_is_broken_by_what_clients_skip(
    tmp_path: Path, accept: str, blank: bytes
) -> None:
    may_end = asyncio.Event()

    async def work(run: Run) -> None:
        await may_end.wait()

    async with serving(tmp_path, settings(http={"heartbeat_s": 0.02})) as api:
        run = await api.engine.runs.start(work, kind="skill", title="x", project="")
        path = f"/v1/runs/{run.id}/events"
        async with api.client.get(path, headers={"Accept": accept}) as response:
            assert await response.content.readline() == blank
            may_end.set()
            rest = await response.read()
    told = [line for line in rest.splitlines() if line.strip(b":")]
    assert told[-1].partition(b"{")[2].startswith(b'"type":"done"')


async def test_a_client_that_never_reads_is_let_go_and_holds_up_nobody(tmp_path: Path) -> None:
    big = [events.FileFinished(f"src/File{n}.ts", "x" * 100_000) for n in range(40)]
    async with serving(tmp_path, settings(http={"stall_timeout_s": 0.5})) as api:
        assert api.doorway._listening is not None
        api.doorway._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        run = await begin(api, "build", big, READY)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", api.port))
        deaf.sendall(
            f"GET /v1/runs/{run.id}/events HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        try:
            told = lines(await said(api, f"/v1/runs/{run.id}/events"))
            assert len(told) == len(big) + 1
            await until(lambda: not _streams(api))
        finally:
            deaf.close()


def _streams(api: Api) -> int:
    starting = api.doorway._starting
    assert starting is not None
    return len(starting.result()._runner.app[STREAMS]._open)
