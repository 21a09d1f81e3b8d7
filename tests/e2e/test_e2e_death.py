"""However the language server ends, what it started ends with it, and its journal stays whole."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from e2e_editor import Editor, opened
from e2e_home import Home
from e2e_processes import Held, hold_family, left_after

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

END_WITHIN_S = 8.0
"""Two seconds on a quiet machine; a busy one takes longer over it."""
SLOW = "0.05"
"""Seconds for each piece of the model's reply: it takes many seconds."""


async def test_a_killed_server_leaves_no_process_and_a_journal_that_opens(
    workspace: Path, home: Home
) -> None:
    async with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        run_id, family = await _in_mid_run(editor)
        editor.process.kill()
        assert await _left(editor, family) == []
    async with opened(workspace, home) as after:
        runs = await after.execute("forge.runs")
        found = next(run for run in runs if run["runId"] == run_id)
        assert found["outcome"] == "failed"
        assert found["endedAt"] is not None
        await after.run("forge.generate", prompt="create a counter app")


def _close_input(editor: Editor) -> None:
    assert editor.process.stdin is not None
    editor.process.stdin.close()


def _terminate(editor: Editor) -> None:
    editor.process.terminate()


@pytest.mark.parametrize("end", [_close_input, _terminate])
async def test_a_server_that_is_told_to_end_takes_its_children_along(
    workspace: Path, home: Home, end: Callable[[Editor], None]
) -> None:
    async with opened(workspace, home, FORGE_MODEL_DEMO_PACE_S=SLOW) as editor:
        run_id, family = await _in_mid_run(editor)
        end(editor)
        assert await _left(editor, family) == []
    async with opened(workspace, home) as after:
        outcomes = {run["runId"]: run["outcome"] for run in await after.execute("forge.runs")}
        assert outcomes[run_id] == "cancelled"


async def _in_mid_run(editor: Editor) -> tuple[str, Sequence[Held]]:
    """A run whose model is writing while the workspace's sandbox lives."""
    await editor.run("forge.sandbox.create")
    run_id = await editor.start("forge.generate", prompt="create a counter app")
    await editor.wait_for(run_id, lambda event: event.type == "file_started")
    family = await asyncio.to_thread(hold_family, editor.process.pid)
    assert any("vite" in each.command for each in family), family
    return run_id, family


async def _left(editor: Editor, family: Sequence[Held]) -> Sequence[str]:
    left = await asyncio.to_thread(left_after, family, END_WITHIN_S)
    if not left:
        await editor.process.wait()
    return left
