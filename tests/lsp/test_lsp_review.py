"""Accept, reject, undo: what reaches the workspace, and what must not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsp_review import propose
from lsp_wire import BARE, VS_CODE, Editor, apply_text_edits, editor

EVENTS = {"events": True}
SIX = "".join(f"line {number}\n" for number in range(1, 7))


def everything_in(workspace: Path) -> set[str]:
    return {each.relative_to(workspace).as_posix() for each in workspace.rglob("*")}


async def test_an_accept_edits_open_documents_and_undo_gives_back_the_same_bytes(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    original = b"a = 1\r\n\xf0\x9f\x98\x80 = 2\r\nlast"
    (workspace / "open.txt").write_bytes(original)
    (workspace / "closed.txt").write_bytes(original)
    uri = client.open("open.txt")
    wanted: dict[str, str] = dict.fromkeys(("open.txt", "closed.txt"), "a = 1\r\n😀 = 3\r\nlast!")
    wanted["deep/new.txt"] = "new\n"
    last = await client.run("forge.apply", {"files": wanted})
    assert last["outcome"] == "completed", last
    assert client.documents[uri] == wanted["open.txt"]
    assert (workspace / "closed.txt").read_bytes().decode() == wanted["closed.txt"]
    assert (workspace / "deep/new.txt").read_bytes() == b"new\n"
    (edit,) = client.requests("workspace/applyEdit")
    for change in edit["edit"]["documentChanges"]:
        if "textDocument" in change:
            is_open = change["textDocument"]["uri"] == uri
            assert change["textDocument"]["version"] == (1 if is_open else None)

    last = await client.run("forge.undo")
    assert last["outcome"] == "completed", last
    assert client.documents[uri].encode() == original
    assert (workspace / "closed.txt").read_bytes() == original
    assert not (workspace / "deep/new.txt").exists()
    assert await client.leave() == 0


async def test_an_undo_takes_the_folders_away_that_it_empties_and_no_others(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "held").mkdir()
    (workspace / "held/mine.txt").write_text("mine\n")
    (workspace / "real").mkdir()
    (workspace / "linked").symlink_to(workspace / "real")
    names = ("a/b/c/new.txt", "a/d/new.txt", "held/e/new.txt", "linked/f/new.txt", "top.txt")
    last = await client.run("forge.apply", {"files": dict.fromkeys(names, "x\n")})
    assert last["outcome"] == "completed", last
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert everything_in(workspace) == {"held", "held/mine.txt", "linked", "real", "real/f"}


async def test_hunks_are_accepted_and_rejected_one_by_one(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    uri = client.open("a.txt")
    after = SIX.replace("line 1\n", "ONE\n").replace("line 6\n", "SIX\n")
    change = await propose(client, {"a.txt": after})
    choice = {"changeSetId": change, "path": "a.txt", "hunk": 1}
    assert (await client.run("forge.review.accept", choice))["outcome"] == "completed"
    assert client.documents[uri] == SIX.replace("line 6\n", "SIX\n")
    rejected = await client.run("forge.review.reject", {"path": "a.txt", "hunk": 0})
    assert rejected["outcome"] == "completed"
    assert client.documents[uri] == SIX.replace("line 6\n", "SIX\n")
    answer = await client.command("forge.review.accept")
    assert "Nothing waits for review" in answer["error"]["message"]


async def test_what_was_typed_meanwhile_is_merged_or_left_alone(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    for name in ("apart.txt", "clash.txt"):
        (workspace / name).write_text(SIX)
    apart, clash = client.open("apart.txt"), client.open("clash.txt")
    wanted = SIX.replace("line 2\n", "TWO\n")
    await propose(client, {"apart.txt": wanted, "clash.txt": wanted})
    client.type(apart, SIX.replace("line 6\n", "mine\n"))
    client.type(clash, SIX.replace("line 2\n", "mine\n"))
    last = await client.run("forge.review.accept")
    assert last["outcome"] == "failed"
    assert "clash.txt" in last["message"]
    assert "apart.txt" not in last["message"]
    merged = SIX.replace("line 2\n", "TWO\n").replace("line 6\n", "mine\n")
    assert client.documents[apart] == merged
    assert client.documents[clash] == SIX.replace("line 2\n", "mine\n")
    # The undo takes back the change and keeps what was typed.
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert client.documents[apart] == SIX.replace("line 6\n", "mine\n")


async def test_an_undo_of_a_file_that_was_changed_since_names_it_and_does_nothing(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    uri = client.open("a.txt")
    assert (await client.run("forge.apply", {"files": {"a.txt": "x\n"}}))["outcome"] == "completed"
    client.type(uri, "x\nmine\n")
    last = await client.run("forge.undo")
    assert last["outcome"] == "failed"
    assert "a.txt has changed since" in last["message"]
    assert client.documents[uri] == "x\nmine\n"


async def test_an_editor_that_lies_is_not_believed(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    client.answers["workspace/applyEdit"] = lambda params: {"applied": True}
    last = await client.run("forge.apply", {"files": {"a.txt": "x\n", "new.txt": "x\n"}})
    assert last["outcome"] == "failed"
    assert "a.txt" in last["message"]
    assert "new.txt" in last["message"]
    assert (workspace / "a.txt").read_text() == SIX
    why = "the editor did not make the change"
    await client.wait(lambda _: any(why in told for told in client.messages()))


async def test_what_an_editor_does_too_late_is_taken_over_by_the_next_accept_and_undone(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    honest, late = client.answers["workspace/applyEdit"], list[Any]()

    def slow(params: Any) -> Any:
        late.append(params)
        return {"applied": True}

    client.answers["workspace/applyEdit"] = slow
    last = await client.run("forge.apply", {"files": {"a.txt": "x\n", "new.txt": "x\n"}})
    assert last["outcome"] == "failed"
    client.answers["workspace/applyEdit"] = honest
    (edit,) = late
    honest(edit)
    assert (await client.run("forge.review.accept"))["outcome"] == "completed"
    assert (workspace / "a.txt").read_text() == "x\n"
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert (workspace / "a.txt").read_text() == SIX
    assert not (workspace / "new.txt").exists()


async def test_an_editor_that_fills_new_files_only_in_its_document_is_believed(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)

    def like_neovim(params: Any) -> Any:
        create, edit = params["edit"]["documentChanges"]
        assert create["kind"] == "create"
        (workspace / "new.txt").touch()
        uri = client.open("new.txt", "")
        client.type(uri, apply_text_edits("", edit["edits"]))
        return {"applied": True}

    client.answers["workspace/applyEdit"] = like_neovim
    last = await client.run("forge.apply", {"files": {"new.txt": "x\n"}})
    assert last["outcome"] == "completed", last
    assert (workspace / "new.txt").read_bytes() == b""


async def test_one_file_that_the_editor_refuses_does_not_cost_the_others(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    honest = client.answers["workspace/applyEdit"]

    def choosy(params: Any) -> Any:
        changes = params["edit"]["documentChanges"]
        if any(change["textDocument"]["uri"].endswith("bad.txt") for change in changes):
            return {"applied": False}
        return honest(params)

    for name in ("bad.txt", "good.txt"):
        (workspace / name).write_text(SIX)
    client.answers["workspace/applyEdit"] = choosy
    last = await client.run("forge.apply", {"files": {"bad.txt": "x\n", "good.txt": "x\n"}})
    assert last["outcome"] == "failed"
    assert (workspace / "good.txt").read_text() == "x\n"
    assert (workspace / "bad.txt").read_text() == SIX


async def test_hidden_files_and_links_that_leave_are_refused_with_their_reason(
    client: Editor, workspace: Path, tmp_path: Path
) -> None:
    await client.initialize(options=EVENTS)
    (tmp_path / "outside").mkdir()
    (workspace / "link").symlink_to(tmp_path / "outside")
    (workspace / ".gitignore").write_text("dist/\n")
    files = {"link/x.txt": "x", "dist/x.js": "x", "fine.txt": "x\n"}
    last = await client.run("forge.apply", {"files": files})
    assert last["outcome"] == "failed"
    assert "symbolic link" in last["message"]
    assert "gitignore" in last["message"]
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (workspace / "dist").exists()
    assert (workspace / "fine.txt").read_text() == "x\n"


async def test_an_editor_that_declares_nothing_gets_texts_to_replace_and_nothing_else(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(BARE, options=EVENTS)
    last = await client.run("forge.apply", {"files": {"new.txt": "x\n"}})
    assert last["outcome"] == "completed"
    (edit,) = client.requests("workspace/applyEdit")
    assert list(edit["edit"]) == ["changes"]
    ((change,),) = edit["edit"]["changes"].values()
    assert change["range"]["end"] == {"line": 1, "character": 0}
    last = await client.run("forge.undo")
    assert last["outcome"] == "failed"
    assert "delete it yourself" in last["message"]
    assert (workspace / "new.txt").read_text() == "x\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_edits_come_in_the_negotiated_encoding(
    workspace: Path, home: Path, encoding: str
) -> None:
    async with editor(workspace, home) as client:
        capabilities = {**VS_CODE, "general": {"positionEncodings": [encoding]}}
        await client.initialize(capabilities, options=EVENTS)
        (workspace / "a.txt").write_text("é😀 end")
        uri = client.open("a.txt")
        seen: list[str] = []

        def apply(params: Any) -> Any:
            (change,) = params["edit"]["documentChanges"]
            seen.append(apply_text_edits("é😀 end", change["edits"], encoding))
            client.type(uri, seen[-1])
            return {"applied": True}

        client.answers["workspace/applyEdit"] = apply
        last = await client.run("forge.apply", {"files": {"a.txt": "é😀 END!\n"}})
        assert last["outcome"] == "completed", last
        assert seen == ["é😀 END!\n"]


async def test_the_diff_is_a_patch_in_a_file_that_the_editor_is_asked_to_show(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    change = await propose(client, {"a.txt": SIX.replace("line 2\n", "TWO\n"), "b.txt": "b\n"})
    answer = await client.command("forge.review.diff")
    assert answer["result"]["changeSetId"] == change
    assert "-line 2\n+TWO\n" in answer["result"]["diff"]
    (shown,) = client.requests("window/showDocument")
    assert shown["uri"] == answer["result"]["uri"]
    assert shown["uri"].endswith(".diff")
    one = await client.command("forge.review.diff", {"path": "b.txt"})
    assert "a.txt" not in one["result"]["diff"]


async def test_a_plugin_may_ask_quietly_whether_something_waits(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    answer = await client.command("forge.review.diff", {"quiet": True})
    assert answer["result"]["files"] == []
    assert client.messages() == []
    (workspace / "a.txt").write_text(SIX)
    await propose(client, {"a.txt": SIX.replace("line 2\n", "TWO\n")})
    answer = await client.command("forge.review.diff", {"quiet": True})
    assert [each["path"] for each in answer["result"]["files"]] == ["a.txt"]


async def test_two_accepts_at_once_apply_the_change_once(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    uri = client.open("a.txt")
    wanted = SIX.replace("line 2\n", "TWO\nTWO AND A HALF\n")
    await propose(client, {"a.txt": wanted})
    await asyncio.gather(
        client.command("forge.review.accept"), client.command("forge.review.accept")
    )
    await client.wait(lambda m: client.documents[uri] != SIX)
    assert client.documents[uri] == wanted
    assert await client.leave() == 0


async def test_without_progress_the_start_and_the_end_are_messages(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(BARE, options=EVENTS)
    last = await client.run("forge.apply", {"files": {"a.txt": "x\n"}})
    assert last["outcome"] == "completed"
    await client.wait(lambda m: len(client.messages()) == 2)
    start, end = client.messages()
    assert start == "Forge: applying (Apply 1 file(s))"
    assert end == f"{start}: done"
    assert client.requests("$/progress") == []


async def test_a_given_token_is_used_and_none_is_made(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    await client.run("forge.apply", {"files": {"a.txt": "x\n"}}, workDoneToken="mine")
    end = await client.wait(
        lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "end"
    )
    assert end["params"]["value"]["message"] == "done"
    reports = client.requests("$/progress")
    assert {each["token"] for each in reports} == {"mine"}
    begin = reports[0]["value"]
    assert begin["cancellable"] is True
    assert begin["percentage"] == 0
    assert begin["message"]
    assert client.requests("window/workDoneProgress/create") == []
