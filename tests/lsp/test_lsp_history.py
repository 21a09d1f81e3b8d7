"""forge.history, forge.restore, and forge.undo in any order, over a real connection."""

from pathlib import Path

import pytest
from lsp_wire import Editor

EVENTS = {"events": True}
TEN = "".join(f"line {number}\n" for number in range(10))


async def changed(client: Editor, files: dict[str, str | None]) -> str:
    """Take files over; gives the change set's id."""
    answer = await client.command("forge.apply", {"files": files, "target": "workspace"})
    run_id = answer["result"]["runId"]
    assert (await client.wait_for_end(run_id))["outcome"] == "completed"
    return run_id


async def three(client: Editor, workspace: Path) -> tuple[str, list[str]]:
    """An open document that was changed three times; gives its URI and the ids."""
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(TEN)
    uri = client.open("a.txt")
    ids: list[str] = []
    for number in (1, 5, 8):
        text = client.documents[uri].replace(f"line {number}\n", f"NEW {number}\n")
        ids.append(await changed(client, {"a.txt": text}))
    return uri, ids


async def test_the_history_is_listed_newest_first_and_said_in_words(
    client: Editor, workspace: Path
) -> None:
    _, ids = await three(client, workspace)
    entries = (await client.command("forge.history"))["result"]
    assert [each["changeSetId"] for each in entries] == ids[::-1]
    entry = entries[0]
    assert (entry["runId"], entry["kind"], entry["title"]) == (ids[2], "apply", "Apply 1 file(s)")
    assert (entry["state"], entry["outcome"]) == ("accepted", "completed")
    assert (entry["inputTokens"], entry["outputTokens"], entry["costUsd"]) == (0, 0, None)
    assert entry["files"] == [{"path": "a.txt", "state": "accepted", "added": 1, "removed": 1}]
    assert entry["createdAt"] <= entry["acceptedAt"]
    assert "Apply 1 file(s): 1 file +1 -1, accepted" in client.messages()[-1]

    told = len(client.messages())
    older = await client.command("forge.history", {"limit": 1, "before": ids[2]})
    assert [each["changeSetId"] for each in older["result"]] == [ids[1]]
    assert len(client.messages()) == told, "who turns pages draws them"


async def test_a_client_that_lists_the_history_itself_is_told_nothing(client: Editor) -> None:
    await client.initialize()
    assert (await client.command("forge.history", {"quiet": True}))["result"] == []
    await client.command("forge.history")
    assert len(client.messages()) == 1


async def test_a_folder_without_a_history_says_so(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    assert (await client.command("forge.history"))["result"] == []
    assert "changed nothing" in client.messages()[-1]


async def test_a_change_in_the_middle_is_undone_around_what_was_typed(
    client: Editor, workspace: Path
) -> None:
    uri, ids = await three(client, workspace)
    client.type(uri, "typed\n" + client.documents[uri])
    last = await client.run("forge.undo", {"changeSetId": ids[1]})
    assert last["outcome"] == "completed", last
    wanted = TEN.replace("line 1\n", "NEW 1\n").replace("line 8\n", "NEW 8\n")
    assert client.documents[uri] == f"typed\n{wanted}"
    for index in (0, 2):
        last = await client.run("forge.undo", {"changeSetId": ids[index]})
        assert last["outcome"] == "completed", last
    assert client.documents[uri] == f"typed\n{TEN}"


async def test_a_restore_is_one_edit_and_can_be_undone(client: Editor, workspace: Path) -> None:
    uri, ids = await three(client, workspace)
    there = client.documents[uri]
    edits = len(client.requests("workspace/applyEdit"))
    answer = await client.command("forge.restore", {"changeSetId": ids[0]})
    run_id = answer["result"]["runId"]
    assert (await client.wait_for_end(run_id))["outcome"] == "completed"
    assert client.documents[uri] == TEN.replace("line 1\n", "NEW 1\n")
    assert len(client.requests("workspace/applyEdit")) == edits + 1
    newest = (await client.command("forge.history", {"limit": 1}))["result"][0]
    assert (newest["changeSetId"], newest["kind"]) == (run_id, "restore")
    last = await client.run("forge.undo", {"changeSetId": run_id})
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == there


async def test_a_restore_over_what_was_typed_in_the_same_lines_is_refused_by_name(
    client: Editor, workspace: Path
) -> None:
    uri, ids = await three(client, workspace)
    client.type(uri, client.documents[uri].replace("NEW 5\n", "mine\n"))
    there = client.documents[uri]
    last = await client.run("forge.restore", {"changeSetId": ids[0]})
    assert (last["outcome"], last["code"]) == ("failed", "changed_since")
    assert "a.txt" in last["message"]
    assert client.documents[uri] == there


@pytest.mark.parametrize("given", [{}, {"changeSetId": "run_unknown"}, {"changeSetId": 3}])
async def test_a_restore_of_nothing_is_refused(
    client: Editor, workspace: Path, given: dict[str, object]
) -> None:
    await client.initialize(options=EVENTS)
    assert "error" in await client.command("forge.restore", given)


async def test_a_limit_out_of_range_is_brought_into_it(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    await changed(client, {"a.txt": "a\n"})
    for limit in (-5, 0, 10**9):
        assert len((await client.command("forge.history", {"limit": limit}))["result"]) == 1
