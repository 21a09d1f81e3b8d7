"""Folders, settings, events and messages of one session."""

from pathlib import Path
from typing import Any

from lsp_wire import VS_CODE, Editor, editor

EVENTS = {"events": True}
FILES = {"files": {"a.txt": "x\n"}}


async def test_the_folder_of_the_document_is_meant_else_that_of_the_active_one(
    client: Editor, workspace: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    second.mkdir()
    await client.initialize(options=EVENTS, folders=[workspace, second])
    client.answers["window/showMessageRequest"] = lambda params: {"title": "second"}
    await client.run("forge.apply", FILES)
    assert (second / "a.txt").exists()
    (asked,) = client.requests("window/showMessageRequest")
    assert [each["title"] for each in asked["actions"]] == ["project", "second"]

    client.open("b.txt", "x\n")
    await client.run("forge.apply", FILES)
    assert (workspace / "a.txt").exists()
    document = {"textDocument": {"uri": (second / "c.txt").as_uri()}}
    await client.run("forge.apply", {"files": {"c.txt": "c\n"}, **document})
    assert (second / "c.txt").exists()
    assert len(client.requests("window/showMessageRequest")) == 1


async def test_a_person_who_picks_no_folder_is_told_how_to_go_on(
    client: Editor, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    await client.initialize(folders=[workspace, tmp_path / "second"])
    client.answers["window/showMessageRequest"] = lambda params: None
    answer = await client.command("forge.apply", FILES)
    assert "No folder was chosen" in answer["error"]["message"]


async def test_the_home_folder_is_refused(workspace: Path, home: Path) -> None:
    async with editor(workspace, home, environment={"HOME": str(workspace)}) as client:
        await client.initialize()
        answer = await client.command("forge.generate", {"prompt": "x"})
        assert "Open a project folder" in answer["error"]["message"]


async def test_settings_come_from_the_editor_in_each_of_its_ways(
    workspace: Path, home: Path
) -> None:
    auto = {"review": {"mode": "auto"}}
    pulls = {**VS_CODE, "workspace": {**VS_CODE["workspace"], "configuration": True}}
    ways: list[tuple[dict[str, Any], dict[str, Any] | None, Any]] = [
        (VS_CODE, {**EVENTS, **auto}, None),
        (VS_CODE, {**EVENTS, "forge": auto}, None),
        (VS_CODE, EVENTS, {"settings": {"forge": auto}}),
        (pulls, EVENTS, None),
    ]
    for number, (capabilities, options, pushed) in enumerate(ways):
        root = workspace / str(number)
        root.mkdir()
        async with editor(root, home) as client:
            client.answers["workspace/configuration"] = lambda params: [auto]
            await client.initialize(capabilities, options=options)
            if pushed:
                client.notify("workspace/didChangeConfiguration", pushed)
            last = await client.run("forge.generate", {"prompt": "Create a counter component"})
            assert last["outcome"] == "completed"
            assert (root / "package.json").exists(), number


async def test_a_wrong_setting_is_named(client: Editor) -> None:
    await client.initialize(options={"review": {"mode": "never"}})
    answer = await client.command("forge.runs")
    assert "forge.review.mode" in answer["error"]["message"]


async def test_what_the_workspace_file_may_not_set_is_told(client: Editor, workspace: Path) -> None:
    (workspace / "forge.toml").write_text('[model]\nbase_url = "http://evil.invalid"\n')
    await client.initialize()
    assert (await client.command("forge.runs"))["result"] == []
    assert "forge.toml can't set model.base_url" in client.messages()[0]


async def test_a_generation_tells_every_event_in_order_and_asks_for_review_once(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    last = await client.run("forge.generate", {"prompt": "Create a counter component"})
    assert last["outcome"] == "completed"
    told = client.requests("forge/event")
    assert [each["seq"] for each in told] == list(range(1, len(told) + 1))
    kinds = [each["event"]["type"] for each in told]
    assert kinds[0] == "run_started"
    assert "file_finished" in kinds
    message = await client.wait(lambda m: m.get("method") == "window/showMessage")
    assert "ready for review" in message["params"]["message"]
    assert len(client.messages()) == 1


async def test_a_client_that_shows_what_waits_for_review_itself_is_told_of_problems_alone(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options={**EVENTS, "showsReviews": True})
    last = await client.run("forge.generate", {"prompt": "Create a counter component"})
    assert last["outcome"] == "completed"
    (workspace / "a.txt").write_text("one\n")
    client.answers["workspace/applyEdit"] = lambda params: {"applied": False}
    assert (await client.run("forge.apply", FILES))["outcome"] == "failed"
    await client.wait(lambda m: m.get("method") == "window/showMessage")
    (message,) = client.messages()
    assert "ready for review" not in message


async def test_without_asking_no_event_is_sent(client: Editor, workspace: Path) -> None:
    await client.initialize()
    await client.command("forge.apply", FILES)
    await client.wait(
        lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "end"
    )
    assert client.requests("forge/event") == []


async def test_reports_come_at_most_ten_times_a_second(workspace: Path, home: Path) -> None:
    async with editor(workspace, home, environment={"FORGE_MODEL_DEMO_PACE_S": "0.01"}) as client:
        await client.initialize(options=EVENTS)
        last = await client.run("forge.generate", {"prompt": "Create a counter component"})
        assert last["outcome"] == "completed"
        told = client.requests("forge/event")
        record = (await client.command("forge.runs"))["result"][0]
        duration_s = (record["endedAt"] - record["startedAt"]) / 1000
        reports = [
            each["value"]
            for each in client.requests("$/progress")
            if each["value"]["kind"] == "report"
        ]
        assert len(told) > len(reports) > 0
        assert len(reports) <= 10 * duration_s + 2
        assert all("percentage" in each and "message" in each for each in reports)


async def test_an_edit_with_a_selection_changes_the_document_after_accept(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    await client.run("forge.generate", {"prompt": "Create a counter component"})
    await client.run("forge.review.accept")
    applied = [each for each in client.events() if each["type"] == "file_applied"]
    path = next(each["path"] for each in applied if each["path"].endswith("Counter.tsx"))
    uri = client.open(path)
    before = client.documents[uri]
    place = {"start": {"line": 0, "character": 0}, "end": {"line": 5, "character": 0}}
    last = await client.run(
        "forge.edit",
        {"prompt": "add a reset button", "textDocument": {"uri": uri}, "range": place},
    )
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == before
    last = await client.run("forge.review.accept")
    assert last["outcome"] == "completed", last
    assert "reset" in client.documents[uri].lower()
    assert "reset" not in before.lower()
