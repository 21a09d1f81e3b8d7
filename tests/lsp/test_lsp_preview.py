"""What is wrong in the sandbox is marked by itself, and its log is passed on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from lsp_wire import WAIT_S, Editor, editor
from sandbox_line import SandboxLine

EVENTS = {"events": True}
PUBLISHED = "textDocument/publishDiagnostics"
LOGGED = "window/logMessage"


@dataclass
class World:
    """An editor whose workspace has a living sandbox, and the test's line to that."""

    client: Editor
    line: SandboxLine
    root: Path

    def save(self, uri: str) -> None:
        self.client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def marks(self, path: str) -> list[Any]:
        """What is marked in a file now."""
        published = self.client.requests(PUBLISHED)
        mine = [each["diagnostics"] for each in published if each["uri"] == self.uri(path)]
        return mine[-1] if mine else []

    async def marked(self, path: str, wanted: Callable[[list[Any]], Any]) -> list[Any]:
        """Wait until what is marked in a file is as wanted; gives it."""
        await self.client.wait(lambda _: wanted(self.marks(path)))
        return self.marks(path)

    async def until(self, wanted: Callable[[Any], Any]) -> Any:
        """Wait until the sandbox is as wanted; gives what it says of itself."""
        async with asyncio.timeout(WAIT_S):
            while True:
                told = await self.line.ask("tell")
                if wanted(told):
                    return told


@pytest_asyncio.fixture
async def world(workspace: Path, home: Path) -> AsyncIterator[World]:
    line = SandboxLine()
    async with editor(workspace, home, environment=line.environment) as client:
        await client.initialize(options=EVENTS)
        (workspace / "a.ts").write_text("fine\n")
        await client.run("forge.sandbox.create")
        await client.command("forge.sandbox.diagnostics")
        running = World(client, line, workspace)
        # One look is the command's, one comes by itself when the run has ended.
        await running.until(lambda told: told["looks"] == [None, None])
        yield running


async def test_a_save_is_marked_by_itself_and_cleared_when_mended(world: World) -> None:
    uri = world.client.open("a.ts")
    world.client.type(uri, "fine\n  BROKEN\n")
    world.save(uri)
    (mark,) = await world.marked("a.ts", bool)
    assert mark["range"]["start"] == {"line": 1, "character": 2}
    assert (mark["source"], mark["severity"]) == ("forge", 1)
    assert "version" not in world.client.requests(PUBLISHED)[-1]
    told = await world.line.ask("tell")
    assert told["looks"][-1] == ["a.ts"]
    world.client.type(uri, "fine\n")
    world.save(uri)
    await world.marked("a.ts", lambda marks: not marks)


async def test_a_file_that_is_not_open_is_marked_and_one_that_is_not_there_never(
    world: World,
) -> None:
    (world.root / "b.ts").write_text("x\n😀 BROKEN\n")
    await world.line.ask("write", files={"only-here.ts": "BROKEN"})
    changes = [{"uri": world.uri("b.ts"), "type": 1}]
    world.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    (mark,) = await world.marked("b.ts", bool)
    assert mark["range"]["start"] == {"line": 1, "character": 3}
    answer = await world.client.command("forge.sandbox.diagnostics")
    files = [each["file"] for each in answer["result"]["diagnostics"]]
    assert files == ["b.ts", "only-here.ts"]
    assert world.marks("only-here.ts") == []
    (world.root / "b.ts").unlink()
    changes = [{"uri": world.uri("b.ts"), "type": 3}]
    world.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    await world.marked("b.ts", lambda marks: not marks)


async def test_what_stirs_in_the_sandbox_is_marked(world: World) -> None:
    uri = world.client.open("a.ts")
    world.client.type(uri, "BROKEN:page\n")
    world.save(uri)
    await world.until(lambda told: told["contents"]["a.ts"] == "BROKEN:page\n")
    await world.until(lambda told: told["looks"][-1] == ["a.ts"])
    assert world.marks("a.ts") == []
    await world.line.ask("stir")
    (mark,) = await world.marked("a.ts", bool)
    assert (mark["code"], mark["message"]) == ("runtime", "It threw.")
    told = await world.line.ask("tell")
    assert told["looks"][-1] == []


async def test_marks_go_with_their_sandbox(world: World) -> None:
    uri = world.client.open("a.ts")
    for kill in ("command", "itself"):
        await world.client.run("forge.sandbox.create")
        world.client.type(uri, "BROKEN\n")
        world.save(uri)
        await world.marked("a.ts", bool)
        if kill == "command":
            await world.client.command("forge.sandbox.kill")
        else:
            await world.line.ask("kill")
        await world.marked("a.ts", lambda marks: not marks)


async def test_marks_go_with_the_session(world: World) -> None:
    uri = world.client.open("a.ts")
    world.client.type(uri, "BROKEN\n")
    world.save(uri)
    await world.marked("a.ts", bool)
    await world.client.ask("shutdown")
    await world.marked("a.ts", lambda marks: not marks)
    world.client.notify("exit")
    assert await world.client.ended() == 0


async def test_many_saves_are_few_writes_and_few_looks(world: World) -> None:
    before = await world.line.ask("tell")
    count = 200
    for number in range(count):
        (world.root / f"f{number}.ts").write_text("BROKEN\n" if number == count - 1 else "fine\n")
    for number in range(count):
        world.save(world.uri(f"f{number}.ts"))
    await world.marked(f"f{count - 1}.ts", bool)
    after = await world.line.ask("tell")
    written = [path for paths in after["puts"][len(before["puts"]) :] for path in paths]
    assert sorted(written) == sorted(f"f{number}.ts" for number in range(count))
    looks = after["looks"][len(before["looks"]) :]
    assert len(looks) < count / 10
    assert {path for look in looks for path in look} == set(written)


async def test_a_save_that_is_refused_is_told_once(world: World) -> None:
    names = [f"f{number}.ts" for number in range(5)]
    await world.line.ask("refuse", paths=names)
    changes = [{"uri": world.uri(name), "type": 1} for name in names]
    for name in names:
        (world.root / name).write_text("x")
    world.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    message = await world.client.wait(lambda m: "saved, but" in str(m.get("params")))
    assert message["params"]["message"] == (
        "f0.ts, f1.ts, f2.ts and 2 more were saved, but not shown in the preview: "
        "The sandbox's disk is full."
    )


async def test_what_a_run_leaves_is_marked_where_it_stands_in_the_workspace(
    world: World,
) -> None:
    text = "one\ntwo BROKEN\nthree\n"
    uri = world.client.open("a.ts", text)
    honest = world.client.answers["workspace/applyEdit"]
    world.client.answers["workspace/applyEdit"] = lambda params: {"applied": False}
    after = f"new\nnew BROKEN\n{text}"
    await world.client.run("forge.apply", {"files": {"a.ts": after}})
    world.client.answers["workspace/applyEdit"] = honest
    new, old = await world.marked("a.ts", lambda marks: len(marks) == 2)
    assert old["range"]["start"] == {"line": 1, "character": 4}
    # A line that is only in the sandbox is marked on the nearest one, as a whole.
    assert new["range"] == {
        "start": {"line": 0, "character": 0},
        "end": {"line": 0, "character": 3},
    }
    await world.client.run("forge.review.accept")
    assert world.client.documents[uri] == after
    await world.marked(
        "a.ts", lambda marks: [each["range"]["start"]["line"] for each in marks] == [1, 3]
    )


async def test_a_hostile_report_is_bounded_and_stays_inside(world: World) -> None:
    world.client.open("a.ts")
    wrong = {"severity": "error", "code": "x" * 5_000, "source": "y", "message": "m" * 50_000}
    huge = 2**70
    places = [
        {"line": huge, "column": huge, "end_line": 1, "end_column": 1},
        {"line": 0, "column": -5, "end_line": -7, "end_column": -huge},
        {"line": 1, "column": huge, "end_line": huge, "end_column": 2},
    ]
    outside = ["../up.ts", "/etc/passwd", ".git/config", ".env", "a\ud800.ts", "x" * 5_000, "", "."]
    problems = [{**wrong, "file": "a.ts", **place} for place in places]
    problems += [{**wrong, "file": name, "line": 1, "column": 1} for name in outside]
    elsewhere = {**wrong, "message": "m", "line": 1, "column": 1}
    problems += [{**elsewhere, "file": f"{n}/no.ts"} for n in range(3_000)]
    problems += [
        {**wrong, "file": "a.ts", "line": 1, "column": 2, "message": "\ud800\x1b[31m\u202eevil"}
    ] * 2_000
    await world.line.ask("report", diagnostics=problems)
    await world.line.ask("stir")
    marks = await world.marked("a.ts", bool)
    assert len(marks) == 100
    assert {each["uri"] for each in world.client.requests(PUBLISHED)} == {world.uri("a.ts")}
    assert [each["range"] for each in marks[:3]] == [
        {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 0}},
        {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
        {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 4}},
    ]
    assert all(len(each["message"]) <= 2_000 and len(each["code"]) <= 80 for each in marks)
    assert marks[-1]["message"] == "?[31mevil"
    answer = (await world.client.command("forge.sandbox.diagnostics"))["result"]
    assert answer["success"] is True
    assert "a?.ts" in [each["file"] for each in answer["diagnostics"]]


async def test_the_log_is_passed_on_and_can_be_asked_for(world: World) -> None:
    await world.line.ask("say", lines=["ready", "\x1b[32mgreen\x1b[0m\ud800"])
    await world.line.ask("say", lines=["TypeError: x"], source="page")
    await world.client.wait(lambda m: "(page) TypeError" in str(m.get("params")))
    logged = world.client.requests(LOGGED)
    assert {each["type"] for each in logged} == {4}
    lines = "\n".join(each["message"] for each in logged).splitlines()
    assert lines == ["[preview] ready", "[preview] [32mgreen[0m?", "[preview] (page) TypeError: x"]
    answer = (await world.client.command("forge.sandbox.logs", {"limit": 2}))["result"]
    assert [(each["seq"], each["source"]) for each in answer["lines"]] == [
        (1, "server"),
        (2, "server"),
    ]
    assert answer["last"] == 2
    await world.client.command("forge.sandbox.kill")
    answer = (await world.client.command("forge.sandbox.logs", {"after": 2}))["result"]
    assert [each["text"] for each in answer["lines"]] == ["TypeError: x"]
    assert answer["success"] is True
    assert answer["sandboxId"].startswith("sb_")
    answer = (await world.client.command("forge.sandbox.logs", {"after": 3}))["result"]
    assert (answer["lines"], answer["last"]) == ([], 3)


async def test_a_flood_of_lines_is_told_in_part(world: World) -> None:
    for _ in range(20):
        await world.line.ask("say much", count=5_000)
    await world.line.ask("say", lines=["the last one"])
    await world.client.wait(lambda m: "the last one" in str(m.get("params")))
    messages = [each["message"] for each in world.client.requests(LOGGED)]
    assert len(messages) <= 20
    assert all(len(message.splitlines()) <= 41 for message in messages)
    lines = [line for message in messages for line in message.splitlines()]
    left_out = sum(int(line.split("(")[1].split()[0]) for line in lines if "left out" in line)
    told = sum("left out" not in line for line in lines)
    assert told + left_out == 100_001


async def test_a_picture_of_what_a_run_came_to_is_kept_and_told(world: World, home: Path) -> None:
    status = (await world.client.command("forge.status"))["result"]
    assert status["sandbox"]["screenshot"] is None
    await world.line.ask("browser")
    await world.client.run("forge.apply", {"files": {"a.ts": "fine\n"}})
    last = await world.client.run("forge.generate", {"prompt": "create a counter app"})
    assert last["outcome"] == "completed", last
    await world.until(lambda told: told["pictures"] > 0)
    async with asyncio.timeout(WAIT_S):
        picture = None
        while picture is None:
            status = (await world.client.command("forge.status"))["result"]
            picture = status["sandbox"]["screenshot"]
    (kept,) = await asyncio.to_thread(lambda: list(home.rglob("*.png")))
    assert str(kept) == picture
    assert kept.read_bytes().startswith(b"\x89PNG")
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_what_no_sandbox_may_say_costs_one_look_and_is_followed_by_the_next(
    world: World,
) -> None:
    (world.root / "a.ts").write_text("fine\nfine\n")
    wrong = {"file": "a.ts", "line": 1, "column": 1, "code": "", "message": "m", "source": "tsc"}
    odd = {**wrong, "severity": "of a kind that the port doesn't have"}
    await world.line.ask("report", diagnostics=[odd])
    before = len((await world.line.ask("tell"))["looks"])
    await world.line.ask("stir")
    await world.until(lambda told: len(told["looks"]) > before)
    await world.line.ask("report", diagnostics=[{**wrong, "severity": "error"}])
    async with asyncio.timeout(WAIT_S):
        # Whether the first look has failed yet can't be seen from here; a save comes after it.
        while not world.marks("a.ts"):
            world.save(world.uri("a.ts"))
            await world.client.command("forge.sandbox.status")
    assert [each["message"] for each in world.marks("a.ts")] == ["m"]
