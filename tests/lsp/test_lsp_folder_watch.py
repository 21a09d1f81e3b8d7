"""The watch on a folder itself: what it tells, and what it says where it can't."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forge_lsp.lsp import outside
from forge_lsp.lsp.outside import FolderWatch
from forge_lsp.paths import ProjectPath

WAIT_S = 20


@dataclass
class Told:
    """What a watch has told so far."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    paths: set[str] = field(default_factory=set[str])
    reasons: list[str] = field(default_factory=list[str])

    def tell(self, paths: Collection[ProjectPath]) -> None:
        self.paths |= set(paths)
        self.news.set()

    def give_up(self, why: str) -> None:
        self.reasons.append(why)
        self.news.set()

    async def of(self, *paths: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while not self.paths.issuperset(paths):
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def watched(root: Path) -> AsyncGenerator[Told]:
    told = Told()
    watch = FolderWatch(root, told.tell, told.give_up)
    watch.start()
    try:
        async with asyncio.timeout(WAIT_S):
            await watch.begun.wait()
        yield told
    finally:
        async with asyncio.timeout(WAIT_S):
            await watch.close()


async def test_files_and_what_comes_in_new_folders_are_told(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with watched(tmp_path) as told:
        (tmp_path / "old/a.ts").write_text("a")
        await told.of("old/a.ts")
        # The folder is told of, and what is in it by now is found by whoever hears of it.
        (tmp_path / "new/deep").mkdir(parents=True)
        await told.of("new", "new/deep")
        (tmp_path / "new/deep/b.ts").write_text("b")
        await told.of("new/deep/b.ts")
        (tmp_path / "old/a.ts").unlink()
        told.paths.clear()
        await told.of("old/a.ts")


async def test_what_is_hidden_is_told_once_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "build").mkdir()
    async with watched(tmp_path) as told:
        (tmp_path / "build/a.js").write_text("a")
        (tmp_path / "b.ts").write_text("b")
        await told.of("b.ts")
        assert "build/a.js" not in told.paths
        (tmp_path / ".gitignore").write_text("")
        await told.of(".gitignore", "build")
        (tmp_path / "build/c.js").write_text("c")
        await told.of("build/c.js")


async def test_a_folder_by_way_of_a_link_is_watched(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    async with watched(tmp_path / "link") as told:
        (tmp_path / "real/a.ts").write_text("a")
        await told.of("a.ts")


async def test_a_folder_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    async with watched(tmp_path) as told:
        (tmp_path / "inner").rmdir()
        await told.of("inner")
        (tmp_path / "a.ts").write_text("a")
        await told.of("a.ts")


async def test_a_folder_with_too_many_folders_is_given_up_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "MOST_FOLDERS", 3)
    for number in range(3):
        (tmp_path / f"folder{number}").mkdir()
    told = Told()
    watch = FolderWatch(tmp_path, told.tell, told.give_up)
    watch.start()
    async with asyncio.timeout(WAIT_S):
        await told.news.wait()
        await watch.close()
    (reason,) = told.reasons
    assert "more than 3 folders" in reason
