"""forge.build and forge.resume over real stdio, with the demo model."""

import os
import signal
from pathlib import Path

from lsp_wire import Editor, editor

EVENTS = {"events": True}
LANDING = {"prompt": "A landing page with pricing"}


async def test_a_build_shows_its_stages_in_one_bar_and_opens_the_preview(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    last = await client.run("forge.build", LANDING)
    assert last["outcome"] == "completed", (last, client.messages())
    assert last["preview_url"]
    said = client.events()
    (planned,) = [each for each in said if each["type"] == "planned"]
    assert "src/components/Hero.tsx" in [each["path"] for each in planned["manifest"]]
    (reviewed,) = [each for each in said if each["type"] == "reviewed"]
    assert "src/App.tsx" in reviewed["patched"]
    await client.wait(
        lambda message: (
            message.get("method") == "$/progress" and message["params"]["value"]["kind"] == "end"
        )
    )
    bars = [each["value"] for each in client.requests("$/progress")]
    assert [each["kind"] for each in bars].count("begin") == 1
    assert bars[-1]["kind"] == "end"
    await client.wait(
        lambda message: (
            message.get("method") == "window/showDocument"
            and message["params"]["uri"] == last["preview_url"]
        )
    )
    assert not (workspace / "src").exists()
    await client.run("forge.review.accept")
    assert "Skip to the content" in (workspace / "src" / "App.tsx").read_text()
    await client.run("forge.undo")
    assert not (workspace / "src" / "App.tsx").exists()


async def test_without_a_prompt_it_says_how_to_give_one(client: Editor) -> None:
    await client.initialize()
    answer = await client.command("forge.build", {})
    assert "augmenters" in answer["error"]["message"]


async def test_without_a_broken_build_there_is_nothing_to_resume(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    answer = await client.command("forge.resume")
    assert "forge.build" in answer["error"]["message"]
    answer = await client.command("forge.resume", {"runId": "run_none"})
    assert "run_none" in answer["error"]["message"]


async def test_a_build_whose_server_was_killed_is_resumed_with_the_same_files(
    workspace: Path, home: Path
) -> None:
    slow = {"FORGE_MODEL_DEMO_PACE_S": "0.02", "FORGE_BUILD_WIDTH": "1"}
    async with editor(workspace, home, environment=slow) as first:
        await first.initialize(options=EVENTS)
        answer = await first.command("forge.build", LANDING)
        run_id = answer["result"]["runId"]
        await first.wait(
            lambda message: (
                message.get("method") == "forge/event"
                and message["params"]["event"]["type"] == "file_finished"
            )
        )
        os.kill(first.process.pid, signal.SIGKILL)
        await first.ended()
        seen = [each for each in first.events(run_id) if each["type"] == "file_finished"]
    async with editor(workspace, home) as second:
        await second.initialize(options=EVENTS)
        last = await second.run("forge.resume")
        assert last["outcome"] == "completed", (last, second.messages())
        said = second.events()
        written = {
            each["path"]: each["content"] for each in said if each["type"] == "file_finished"
        }
        for each in seen:
            if each["path"] not in ("src/App.tsx", "src/components/Footer.tsx"):
                assert written[each["path"]] == each["content"]
        plans = [each for each in second.events() if each["type"] == "planned"]
        assert len(plans) == 1
        models = [each for each in said if each["type"] == "usage"]
        # Neither the plan nor a finished file was asked for again; the review was.
        assert len(models) <= 7 - len(seen) + 1
        await second.run("forge.review.accept")
        assert "Skip to the content" in (workspace / "src" / "App.tsx").read_text()
