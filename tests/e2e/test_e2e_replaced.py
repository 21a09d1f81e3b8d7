"""A sandbox whose processes are killed again and again while files are applied to it."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from e2e_editor import Editor, opened
from e2e_home import Home, fill
from e2e_processes import Held, hold_family
from e2e_projects import counter_project

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(300)]

FILES = {f"src/made/file{number}.ts": f"export const n = {number};\n" for number in range(3000)}
LOOK_EVERY_S = 0.02


async def test_an_apply_goes_on_in_a_new_sandbox_and_loses_nothing(
    workspace: Path, home: Home
) -> None:
    fill(workspace, counter_project())
    async with opened(workspace, home) as editor:
        first = await editor.run("forge.sandbox.create")
        run_id = await editor.start("forge.apply", files=FILES, target="sandbox")
        await editor.wait_for(run_id, lambda event: event.type == "file_applied")
        killing = asyncio.create_task(kill_again_and_again(editor), name="kill dev servers")
        await editor.wait_for(run_id, tells_of_a_new_one)
        killing.cancel()
        await asyncio.wait([killing])
        ready = await editor.wait_for(run_id, lambda event: event.type == "sandbox_ready")
        last = await editor.wait_for(run_id, lambda event: event.type == "run_finished")
        assert last.outcome == "completed", last
        applied = [e for run, e in editor.events if run == run_id and e.type == "file_applied"]
        assert {event.path for event in applied if event.ok} == FILES.keys()
        assert ready.sandbox_id != sandbox_of(first)
        listed = (await editor.execute("forge.sandbox.files"))["files"]
        assert FILES.keys() | counter_project().keys() <= set(listed)


def tells_of_a_new_one(event: Any) -> bool:
    return event.type == "stage" and "going on in a new one" in event.message


def sandbox_of(events: Sequence[Any]) -> str:
    """The sandbox that a run made ready."""
    return next(each.sandbox_id for each in events if each.type == "sandbox_ready")


async def kill_again_and_again(editor: Editor) -> None:
    """Kill every dev server that the language server has, until cancelled."""
    while True:
        for held in await asyncio.to_thread(hold_family, editor.process.pid):
            kill_dev_server(held)
        await asyncio.sleep(LOOK_EVERY_S)


def kill_dev_server(held: Held) -> None:
    """Kill the process if it is one, then let go of it."""
    if "vite.js" in held.command:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(held.descriptor, signal.SIGKILL)
    os.close(held.descriptor)
