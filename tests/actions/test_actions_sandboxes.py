import asyncio
from pathlib import Path

import pytest
from action_world import PROJECT, a_world
from memory_sandbox import TEMPLATE, MemoryProvider, MemorySandbox
from memory_workspace import MemoryWorkspace

from forge_lsp.actions.late import Late
from forge_lsp.actions.sandboxes import MAX_REMEMBERED_BYTES, Sandboxes
from forge_lsp.actions.status import sentences, status
from forge_lsp.actions.tokens import owner_token, same_token
from forge_lsp.errors import NotFound, SandboxFailed, SandboxGone, StoreFailed
from forge_lsp.loading import load
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.settings import Places, Settings


def ignore(_: str) -> None:
    """Nobody wants to know of the stages."""


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider()


@pytest.fixture
def sandboxes(provider: MemoryProvider) -> Sandboxes:
    async def get() -> SandboxProvider:
        return provider

    return Sandboxes(Late(get))


async def test_the_sandbox_that_was_used_last_is_the_active_one(sandboxes: Sandboxes) -> None:
    one = await sandboxes.create("ann", "", ignore)
    two = await sandboxes.create("ann", "", ignore)
    assert sandboxes.find("ann", None) is two
    assert sandboxes.find("ann", one.id) is one
    assert sandboxes.find("ann", None) is one


async def test_a_sandbox_is_nobody_elses(sandboxes: Sandboxes) -> None:
    one = await sandboxes.create("ann", "", ignore)
    with pytest.raises(NotFound, match="Sandbox not found"):
        sandboxes.find("bob", one.id)
    with pytest.raises(NotFound, match="No active sandbox"):
        sandboxes.find("bob", None)
    assert await sandboxes.kill("bob", one.id) == []
    assert await one.is_alive()


async def test_killing_names_what_was_alive(sandboxes: Sandboxes) -> None:
    made = [await sandboxes.create("ann", "", ignore) for _ in range(3)]
    assert await sandboxes.kill("ann", made[0].id) == [made[0].id]
    assert await sandboxes.kill("ann", None) == [made[1].id, made[2].id]
    assert await sandboxes.kill("ann", None) == []


async def test_a_workspace_gets_one_sandbox_however_many_ask(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    workspace = MemoryWorkspace({"a.ts": b"a\n"})
    found = await asyncio.gather(
        *(sandboxes.ensure("owner", PROJECT, workspace, ignore) for _ in range(5))
    )
    assert len({sandbox.id for sandbox in found}) == len(provider.made) == 1
    assert provider.made[0].contents["a.ts"] == b"a\n"
    assert sandboxes.of_project(PROJECT) is found[0]
    assert sandboxes.of_project("file:///other") is None


MANIFEST = b'{"name": "mine", "dependencies": {"react": "^19.0.0"}}'


async def left_by_another(files: dict[str, bytes]) -> MemorySandbox:
    """A sandbox as a process that has died since had filled it."""
    earlier = MemoryProvider()
    await earlier.create(ignore, MemoryWorkspace(files), PROJECT)
    return earlier.made[0]


async def test_a_sandbox_that_a_dead_process_left_is_taken_up_with_what_differs(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    left = await left_by_another({"package.json": MANIFEST, "a.ts": b"a\n", "gone.ts": b"x"})
    left.contents |= {"package-lock.json": b"{}", ".next/trace": b"", "next-env.d.ts": b""}
    provider.left[PROJECT] = left
    manifest = b'{"name": "mine", "dependencies": {"react": "^19.0.0", "clsx": "^2.0.0"}}'
    workspace = MemoryWorkspace({"package.json": manifest, "a.ts": b"changed\n", "b.ts": b"b\n"})
    stages: list[str] = []
    taken = await sandboxes.ensure("owner", PROJECT, workspace, stages.append)
    assert taken is left
    assert left.contents == {
        "package.json": manifest,
        "a.ts": b"changed\n",
        "b.ts": b"b\n",
        "package-lock.json": b"{}",
        ".next/trace": b"",
        "next-env.d.ts": b"",
    }
    assert left.installed == ["react@^19.0.0", "clsx@^2.0.0"]
    assert "Taking up the sandbox of an earlier session..." in stages
    assert sandboxes.of_project(PROJECT) is left
    assert await sandboxes.ensure("owner", PROJECT, workspace, ignore) is left


async def test_a_workspace_that_is_no_whole_app_gets_the_templates_files_back(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    left = await left_by_another({"notes.md": b"mine"})
    left.contents |= {"src/App.tsx": b"BROKEN", "src/made.ts": b""}
    provider.left[PROJECT] = left
    workspace = MemoryWorkspace({"notes.md": b"mine"})
    assert await sandboxes.ensure("owner", PROJECT, workspace, ignore) is left
    assert left.contents == {**TEMPLATE, "notes.md": b"mine"}


@pytest.mark.parametrize(
    "manifest",
    [
        b'{"name": "mine", "scripts": {"dev": "next dev"}, "dependencies": {"react": "^19.0.0"}}',
        b'{"name": "mine", "dependencies": {"react": "^18.0.0"}}',
        b'{"name": "mine"}',
        b"no JSON",
    ],
)
async def test_a_project_that_runs_otherwise_by_now_gets_a_new_sandbox(
    sandboxes: Sandboxes, provider: MemoryProvider, manifest: bytes
) -> None:
    left = provider.left[PROJECT] = await left_by_another({"package.json": MANIFEST})
    workspace = MemoryWorkspace({"package.json": manifest})
    assert await sandboxes.ensure("owner", PROJECT, workspace, ignore) is not left
    assert left.is_killed


async def test_what_cannot_be_taken_up_is_told_and_another_is_made(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    left = provider.left[PROJECT] = await left_by_another({"package.json": MANIFEST})
    left.install_failure = SandboxFailed("npm is broken.")
    stages: list[str] = []
    manifest = b'{"name": "mine", "dependencies": {"react": "^19.0.0", "clsx": "1"}}'
    workspace = MemoryWorkspace({"package.json": manifest})
    assert await sandboxes.ensure("owner", PROJECT, workspace, stages.append) is left
    assert any("npm is broken." in each for each in stages)

    class Ends(MemorySandbox):
        async def files(self) -> list[ProjectPath]:
            raise SandboxGone("It ended just now.")

    other = "file:///other"
    ending = provider.left[other] = Ends(7)
    stages.clear()
    made = await sandboxes.ensure("owner", other, workspace, stages.append)
    assert made is not ending
    assert ending.is_killed
    assert any("It ended just now." in each for each in stages)


async def test_what_was_left_is_asked_for_once_and_for_workspaces_only(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    workspace = MemoryWorkspace({"package.json": MANIFEST})
    first = await sandboxes.ensure("owner", PROJECT, workspace, ignore)
    provider.left[PROJECT] = await left_by_another({"package.json": MANIFEST})
    provider.left[""] = await left_by_another({"package.json": MANIFEST})
    await first.kill()
    again = await sandboxes.ensure("owner", PROJECT, workspace, ignore)
    assert again is provider.made[-1]
    await sandboxes.ensure("owner", "", workspace, ignore)
    assert set(provider.left) == {PROJECT, ""}


async def test_a_replacement_holds_what_was_put_into_the_one_that_ended(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    path = ProjectPath.parse("src/a.ts")
    one = await sandboxes.create("ann", "", ignore)
    sandboxes.remember(one, {path: b"a\n"}, ["zustand"])
    sandboxes.remember(one, {path: b"b\n"}, ["dayjs"])
    await one.kill()
    two = await sandboxes.replace(one, ignore)
    assert await two.read(path) == b"b\n"
    assert provider.made[1].installed == ["zustand", "dayjs"]
    await two.kill()
    assert await (await sandboxes.replace(two, ignore)).read(path) == b"b\n"


async def test_what_is_remembered_is_bounded(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    one = await sandboxes.create("ann", "", ignore)
    sandboxes.remember(one, {ProjectPath.parse("big"): b"x" * (MAX_REMEMBERED_BYTES + 1)}, [])
    stages: list[str] = []
    await sandboxes.replace(one, stages.append)
    assert "big" not in provider.made[1].contents
    assert any("too much to be kept" in stage for stage in stages)


async def test_only_what_was_made_here_is_replaced(sandboxes: Sandboxes) -> None:
    with pytest.raises(NotFound):
        await sandboxes.replace(MemorySandbox(9), ignore)


async def test_closing_ends_every_sandbox_and_makes_none(
    sandboxes: Sandboxes, provider: MemoryProvider
) -> None:
    await sandboxes.close()
    assert sandboxes.provider.opened is None
    made = await sandboxes.create("ann", "", ignore)
    await sandboxes.close()
    assert not await made.is_alive()


async def test_what_is_late_is_opened_once_and_tried_again_after_a_failure() -> None:
    opened = 0

    async def open_it() -> str:
        nonlocal opened
        opened += 1
        await asyncio.sleep(0)
        if opened == 1:
            raise SandboxFailed("Not yet.")
        return "there"

    late = Late(open_it)
    with pytest.raises(SandboxFailed):
        await late.get()
    assert late.opened is None
    assert await asyncio.gather(*(late.get() for _ in range(5))) == ["there"] * 5
    assert (opened, late.opened) == (2, "there")


async def test_the_status_tells_what_stands_ready(tmp_path: Path) -> None:
    async with a_world(tmp_path, "Fine.") as world:
        before = await status(world.engine, PROJECT)
        await world.work_in(MemoryWorkspace({"package.json": b"{}\n"}))
        after = await status(world.engine, PROJECT)
    assert before.model is not None
    assert before.model.code_model == "scripted-1"
    assert (before.sandbox.is_alive, after.sandbox.is_alive) == (False, True)
    assert after.sandbox.sandbox_id == "sb_1"
    assert after.missing == ()
    assert any("scripted-1" in line for line in sentences(after))


def test_the_token_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    places = Places.find(tmp_path)
    token = owner_token(Settings(), places)
    assert token.startswith("forge_")
    assert len(token) > 40
    assert owner_token(Settings(), places) == token
    assert (places.state / "token").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in places.state.iterdir()] == ["token"]


def test_the_token_that_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_TOKEN", "mine")
    assert owner_token(load()[0], Places.find(tmp_path)) == "mine"


def test_a_token_that_cant_be_kept_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(StoreFailed, match="The token can't be kept"):
        owner_token(Settings(), Places.find(tmp_path))


@pytest.mark.parametrize(
    ("given", "same"), [("known", True), ("know", False), ("", False), ("knöwn\ud800", False)]
)
def test_a_token_is_compared_whole(given: str, same: bool) -> None:
    assert same_token(given, "known") is same
