import asyncio
from pathlib import Path

import pytest
from action_world import PROJECT, a_world
from memory_sandbox import MemoryProvider, MemorySandbox
from memory_workspace import MemoryWorkspace

from forge_lsp.actions.late import Late
from forge_lsp.actions.sandboxes import MAX_REMEMBERED_BYTES, Sandboxes
from forge_lsp.actions.status import sentences, status
from forge_lsp.actions.tokens import owner_token, same_token
from forge_lsp.errors import NotFound, SandboxFailed, StoreFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.settings import Places, Settings, load


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
