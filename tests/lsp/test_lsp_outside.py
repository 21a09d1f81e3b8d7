"""What other programs change in the workspace, for editors that don't watch it, and at scale."""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsp_wire import VS_CODE, WAIT_S, Editor, editor
from sandbox_line import SandboxLine

from forge_lsp.lsp.outside import MOST_FOLDERS

EVENTS = {"events": True}
COUNTER = "src/Counter.tsx"
MANY = 5_000
AT_ONCE = 200
LATE_S = 100.0
WATCHES_NOTHING = {
    **VS_CODE,
    "workspace": {
        name: each for name, each in VS_CODE["workspace"].items() if name != "didChangeWatchedFiles"
    },
}
"""As Neovim on Linux."""
ENCODED = {
    "utf-16.txt": "\ufeffhé\r\n".encode("utf-16-le"),
    "latin-1.txt": "hé\n".encode("latin-1"),
    "binary.bin": b"\x00\xff\xfe\r\n\x80",
    "crlf.txt": b"one\r\ntwo\r\n",
    "mark.txt": b"\xef\xbb\xbfone\n",
    "no-end.txt": b"one\ntwo",
    "empty.txt": b"",
}


@dataclass
class World:
    """An editor whose workspace has a sandbox, and the test's line to that."""

    client: Editor
    line: SandboxLine
    root: Path

    async def until(self, wanted: Callable[[Any], Any], timeout_s: float = WAIT_S) -> Any:
        """Wait until the sandbox is as wanted; gives what it says of itself."""
        async with asyncio.timeout(timeout_s):
            while True:
                told = await self.line.ask("tell")
                if wanted(told):
                    return told

    async def versions(self) -> list[dict[str, Any]]:
        return (await self.client.command("forge.fragments"))["result"][0]["versions"]

    async def passes_on(self) -> None:
        """Wait until a change that is made now has come through, and with it all before it."""
        (self.root / "last.txt").write_text("last")
        await self.until(lambda told: "last.txt" in told["contents"])
        (self.root / "last.txt").unlink()
        await self.until(lambda told: "last.txt" not in told["contents"])

    def tell_changed(self, *paths: Path) -> None:
        changes = [{"uri": path.as_uri(), "type": 2} for path in paths]
        self.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})


def watches(client: Editor) -> int:
    """How many folders the server has the system watch."""
    folder = Path(f"/proc/{client.process.pid}/fdinfo")
    found = 0
    for each in folder.iterdir():
        with suppress(FileNotFoundError):
            found += each.read_text().count("inotify wd:")
    return found


@asynccontextmanager
async def opened(root: Path, home: Path, capabilities: dict[str, Any]) -> AsyncGenerator[World]:
    """With a counter that was generated and accepted."""
    line = SandboxLine()
    async with editor(root, home, environment=line.environment) as client:
        await client.initialize(capabilities, options=EVENTS)
        await client.run("forge.generate", {"prompt": "Create a counter"})
        await client.run("forge.review.accept")
        yield World(client, line, root)


@pytest_asyncio.fixture
async def world(workspace: Path, home: Path) -> AsyncIterator[World]:
    async with opened(workspace, home, WATCHES_NOTHING) as running:
        yield running


@pytest_asyncio.fixture
async def watching(workspace: Path, home: Path) -> AsyncIterator[World]:
    """An editor that watches the folder itself."""
    async with opened(workspace, home, VS_CODE) as running:
        yield running


async def test_what_other_programs_change_is_seen_without_the_editor(world: World) -> None:
    await world.passes_on()
    (world.root / COUNTER).write_text("outside\n")
    await world.until(lambda told: told["contents"][COUNTER] == "outside\n")
    (world.root / "new/deep").mkdir(parents=True)
    (world.root / "new/deep/a.ts").write_text("a\n")
    await world.until(lambda told: told["contents"].get("new/deep/a.ts") == "a\n")
    (world.root / "new").rename(world.root / "newer")
    await world.until(lambda told: told["contents"].get("newer/deep/a.ts") == "a\n")
    await world.until(lambda told: "new/deep/a.ts" not in told["contents"])
    (world.root / COUNTER).rename(world.root / "src/counter.tsx")
    await world.until(lambda told: told["contents"].get("src/counter.tsx") == "outside\n")
    await world.until(lambda told: COUNTER not in told["contents"])
    shutil.rmtree(world.root / "newer")
    await world.until(lambda told: "newer/deep/a.ts" not in told["contents"])
    changed = [each["changed"] for each in await world.versions()]
    assert changed[:2] == [[COUNTER], [COUNTER]]


async def test_what_is_hidden_or_secret_is_not_seen(world: World) -> None:
    (world.root / ".gitignore").write_text("hidden/\n*.log\n")
    await world.passes_on()
    for path in ("hidden/a.ts", "node_modules/b/c.js", ".git/HEAD"):
        (world.root / path).parent.mkdir(parents=True)
        (world.root / path).write_text("no")
    for path in (".env", ".env.local", "a.log"):
        (world.root / path).write_text("no")
    for number in range(AT_ONCE):
        # What appears and vanishes leaves nothing.
        (world.root / f"flicker{number}.ts").write_text("no")
        (world.root / f"flicker{number}.ts").unlink()
    await world.passes_on()
    told = await world.line.ask("tell")
    assert "no" not in told["contents"].values()


async def test_what_we_change_ourselves_comes_back_as_nothing(world: World) -> None:
    await world.passes_on()
    before = len((await world.line.ask("tell"))["looks"])
    fragment = (await world.client.command("forge.fragments"))["result"][0]
    given = {"fragmentId": fragment["id"], "files": {COUNTER: "edited\n"}}
    await world.client.command("forge.fragment.update", given)
    async with asyncio.timeout(WAIT_S):
        while True:
            if (world.root / COUNTER).read_text() == "edited\n":
                break
            await asyncio.sleep(0.01)
    await world.passes_on()
    assert len(await world.versions()) == 2
    assert len((await world.line.ask("tell"))["looks"]) <= before + 4


async def test_a_folder_that_was_left_is_watched_no_more(world: World) -> None:
    await world.passes_on()
    assert watches(world.client) > 0
    event = {"removed": [{"uri": world.root.as_uri(), "name": "project"}], "added": []}
    world.client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    async with asyncio.timeout(WAIT_S):
        while watches(world.client) > 0:
            await world.client.command("forge.runs")


async def test_files_come_byte_for_byte_whatever_they_are(world: World) -> None:
    await world.passes_on()
    for path, content in ENCODED.items():
        (world.root / path).write_bytes(content)
    (world.root / "link.txt").symlink_to("crlf.txt")
    (world.root / "out.txt").symlink_to("/etc/hostname")
    for path, content in {**ENCODED, "link.txt": ENCODED["crlf.txt"]}.items():
        async with asyncio.timeout(WAIT_S):
            while True:
                if await world.line.ask("read", path=path) == content.hex():
                    break
    assert await world.line.ask("read", path="out.txt") is None


async def test_a_document_counts_once_the_editor_has_loaded_it(world: World) -> None:
    uri = world.client.open(COUNTER)
    await world.passes_on()
    (world.root / COUNTER).write_text("outside\n")
    await world.passes_on()
    assert (await world.line.ask("tell"))["contents"][COUNTER] != "outside\n"
    world.client.type(uri, "outside\n")
    await world.until(lambda told: told["contents"][COUNTER] == "outside\n")


@pytest.mark.slow
async def test_a_folder_that_is_too_large_to_be_watched_is_told_of_once(
    workspace: Path, home: Path
) -> None:
    for number in range(MOST_FOLDERS):
        (workspace / f"folder{number}").mkdir()
    async with editor(workspace, home) as client:
        await client.initialize(WATCHES_NOTHING)
        for _ in range(2):
            assert "result" in await client.command("forge.sandbox.create")
        message = await client.wait(
            lambda message: (
                message.get("method") == "window/showMessage"
                and "is not seen" in message["params"]["message"]
            ),
            LATE_S,
        )
        assert ".gitignore" in message["params"]["message"]
        assert watches(client) == 0
        await client.command("forge.runs")
        assert len([each for each in client.messages() if "is not seen" in each]) == 1


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("is_watched", [False, True], ids=["by us", "by the editor"])
async def test_a_branch_of_many_files_comes_in_one_go(
    workspace: Path, home: Path, is_watched: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(workspace, home, VS_CODE if is_watched else WATCHES_NOTHING) as world:
        if not is_watched:
            await world.passes_on()
        before = await world.line.ask("tell")
        paths = [workspace / f"src/part{number % 50}/file{number}.ts" for number in range(MANY)]
        await asyncio.to_thread(_switch, workspace, paths)
        if is_watched:
            world.tell_changed(*paths, workspace / COUNTER, workspace / "src/App.tsx")
        slowest_s = 0.0
        async with asyncio.timeout(LATE_S):
            while True:
                asked_at = time.monotonic()
                versions = await world.versions()
                slowest_s = max(slowest_s, time.monotonic() - asked_at)
                last = paths[-1].relative_to(workspace).as_posix()
                if len(versions) < 2 or await world.line.ask("read", path=last) is None:
                    continue
                held = (await world.line.ask("tell"))["contents"]
                lacking = [
                    path
                    for path in paths
                    if held.get(path.relative_to(workspace).as_posix()) != path.name
                ]
                if not lacking and "src/App.tsx" not in held:
                    break
        with capsys.disabled():
            print(f"\nslowest answer beside {MANY} files: {slowest_s:.3f} s")
        assert held[COUNTER] == "branch\n"
        after = await world.until(lambda told: any(told["looks"][len(before["looks"]) :]))
        if is_watched:
            # One burst is one version, and one look.
            (version,) = (await world.versions())[:-1]
            assert version["reason"] == "Changed outside the editor"
            assert version["changed"] == ["src/App.tsx", COUNTER]
            assert len([look for look in after["looks"] if look is not None]) == 1
        else:
            assert len(versions) <= 4


def _switch(root: Path, paths: list[Path]) -> None:
    """As a change of the branch does it."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (root / COUNTER).write_text("branch\n")
    (root / "src/App.tsx").unlink()


async def test_a_formatter_that_saves_many_files_makes_one_version(watching: World) -> None:
    (fragment,) = (await watching.client.command("forge.fragments"))["result"]
    files = {f"src/file{number}.ts": "a\n" for number in range(AT_ONCE)}
    given = {"fragmentId": fragment["id"], "files": files}
    await watching.client.command("forge.fragment.update", given)
    async with asyncio.timeout(LATE_S):
        while True:
            newest = (await watching.client.command("forge.runs"))["result"][0]
            if newest["kind"] == "fragment" and newest["endedAt"]:
                break
    before = await watching.line.ask("tell")
    for path in files:
        (watching.root / path).write_text("formatted\n")
        uri = watching.client.open(path)
        watching.client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await watching.until(
        lambda told: all(told["contents"].get(path) == "formatted\n" for path in files), LATE_S
    )
    await watching.until(lambda told: len(told["looks"]) > len(before["looks"]))
    versions = await watching.versions()
    assert [len(each["changed"]) for each in versions][:2] == [AT_ONCE, AT_ONCE]
    assert len(versions) == 3
