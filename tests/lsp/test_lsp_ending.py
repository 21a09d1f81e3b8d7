"""Every way to end, in time, with the journal whole."""

import asyncio
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from lsp_wire import Editor, editor

from forge_lsp.lsp.server import CLOSE_TIMEOUT_S, HARD_END_S

EDITORS_PATIENCE_S = 2.0
IN_TIME_S = 8.0
"""The server's own limit is `lsp.server.HARD_END_S`; a busy machine takes longer over it."""
EVENTS = {"events": True}
SLOW = {"FORGE_MODEL_DEMO_PACE_S": "0.2"}
PROMPT = {"prompt": "Create a counter component"}


async def in_mid_run(client: Editor, **more: Any) -> str:
    """Start a run, and wait until the model writes; gives the run's id."""
    await client.initialize(options=EVENTS, **more)
    run_id = (await client.command("forge.generate", PROMPT))["result"]["runId"]
    await client.wait(
        lambda m: m.get("method") == "forge/event" and m["params"]["event"]["type"] == "text_delta"
    )
    return run_id


def outcome_on_disk(home: Path, run_id: str) -> str | None:
    """What the journal says, read as another program would."""
    (database,) = home.rglob("*.db")
    with sqlite3.connect(database) as connection:
        row = connection.execute("select outcome from runs where id = ?", (run_id,)).fetchone()
    connection.close()
    return row[0]


async def test_shutdown_in_mid_run_ends_it_as_cancelled(workspace: Path, home: Path) -> None:
    async with editor(workspace, home, environment=SLOW) as client:
        run_id = await in_mid_run(client)
        started = time.monotonic()
        answer = await client.ask("shutdown")
        assert answer.get("result", "missing") is None
        client.notify("exit")
        assert await client.ended() == 0
        assert time.monotonic() - started < IN_TIME_S
    assert outcome_on_disk(home, run_id) == "cancelled"


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT", "exit", "second shutdown"])
async def test_other_ends_in_mid_run_are_as_clean(workspace: Path, home: Path, how: str) -> None:
    async with editor(workspace, home, environment=SLOW) as client:
        run_id = await in_mid_run(client)
        started = time.monotonic()
        assert client.process.stdin
        if how == "eof":
            client.process.stdin.close()
        elif how == "exit":
            client.notify("exit")
        elif how == "second shutdown":
            await client.ask("shutdown")
            assert "error" in await client.ask("shutdown")
        else:
            client.process.send_signal(getattr(signal, how))
        code = await client.ended()
        assert time.monotonic() - started < IN_TIME_S
        assert code == (0 if how == "second shutdown" else 1)
    assert outcome_on_disk(home, run_id) == "cancelled"


async def test_the_server_ends_with_the_process_that_the_client_named(
    workspace: Path, home: Path
) -> None:
    parent = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        async with editor(workspace, home, environment=SLOW) as client:
            run_id = await in_mid_run(client, process_id=parent.pid)
            parent.kill()
            await parent.wait()
            started = time.monotonic()
            await client.ended()
            assert time.monotonic() - started < IN_TIME_S
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()
    assert outcome_on_disk(home, run_id) == "cancelled"


async def test_a_killed_server_leaves_a_journal_that_opens(workspace: Path, home: Path) -> None:
    async with editor(workspace, home, environment=SLOW) as client:
        run_id = await in_mid_run(client)
        seen = len(client.events(run_id))
        client.process.kill()
        await client.ended()
    async with editor(workspace, home) as client:
        await client.initialize()
        (run,) = (await client.command("forge.runs"))["result"]
        assert (run["runId"], run["outcome"]) == (run_id, "failed")
        assert await client.leave() == 0
    assert seen > 0


async def test_an_editor_that_reads_nothing_does_not_hold_up_the_end(
    workspace: Path, home: Path
) -> None:
    async with editor(workspace, home) as client:
        await client.initialize()
        client.stop_reading()
        # More than a pipe holds: the server's answers can't leave any more.
        for number in range(3000):
            client.send({"id": f"flood-{number}", "method": "no/such", "params": None})
        client.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        await client.ended()
        assert time.monotonic() - started < IN_TIME_S


async def test_a_server_without_work_ends_at_once(client: Editor) -> None:
    await client.initialize()
    started = time.monotonic()
    assert await client.leave() == 0
    assert time.monotonic() - started < 1


async def test_progress_is_cancelled_by_its_token_within_a_second(
    workspace: Path, home: Path
) -> None:
    async with editor(workspace, home, environment=SLOW) as client:
        run_id = await in_mid_run(client)
        (created,) = client.requests("window/workDoneProgress/create")
        started = time.monotonic()
        client.notify("window/workDoneProgress/cancel", {"token": created["token"]})
        last = await client.wait_for_end(run_id)
        assert last["outcome"] == "cancelled"
        assert time.monotonic() - started < 1
        end = await client.wait(
            lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "end"
        )
        assert end["params"] == {
            "token": created["token"],
            "value": {"kind": "end", "message": "cancelled"},
        }
        assert not [each for each in client.requests("window/showMessage") if each["type"] == 1]
        assert await client.leave() == 0


async def test_the_cancel_command_takes_the_newest_run_or_the_one_named(
    workspace: Path, home: Path
) -> None:
    async with editor(workspace, home, environment=SLOW) as client:
        first = await in_mid_run(client)
        second = (await client.command("forge.generate", PROMPT))["result"]["runId"]
        started = time.monotonic()
        assert (await client.command("forge.cancel"))["result"] == {"runId": second}
        assert (await client.wait_for_end(second))["outcome"] == "cancelled"
        named = await client.command("forge.cancel", {"runId": first})
        assert named["result"] == {"runId": first}
        assert (await client.wait_for_end(first))["outcome"] == "cancelled"
        assert time.monotonic() - started < 2
        assert "under way" in (await client.command("forge.cancel"))["error"]["message"]
        gone = await client.command("forge.cancel", {"runId": first})
        assert "ended already" in gone["error"]["message"]
        assert await client.leave() == 0


def test_the_server_gives_itself_less_time_than_editors_do() -> None:
    assert CLOSE_TIMEOUT_S < HARD_END_S < EDITORS_PATIENCE_S
