"""Folders of sandboxes: made, copied, swept and removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.folders import ServerFolder, copy_tree, remove_tree

CLAIM_AND_DIE = """
import sys, pathlib
from forge_lsp.sandbox.folders import ServerFolder
folder = ServerFolder.claim(pathlib.Path(sys.argv[1]))
(folder.path / "sb_x").mkdir()
print(folder.path)
"""


def test_a_dead_servers_folder_is_found_and_a_living_ones_is_not(tmp_path: Path) -> None:
    alive = ServerFolder.claim(tmp_path)
    dead = subprocess.run(
        [sys.executable, "-c", CLAIM_AND_DIE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert (Path(dead) / "sb_x").is_dir()
    assert ServerFolder.claim(tmp_path).stale == [Path(dead)]
    assert alive.path.is_dir()


async def test_a_closed_servers_folder_is_gone(tmp_path: Path) -> None:
    folder = ServerFolder.claim(tmp_path)
    (folder.path / "sb_x").mkdir()
    await folder.close()
    assert not folder.path.exists()
    assert not ServerFolder.claim(tmp_path).stale


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxFailed, match="can't be written"):
        ServerFolder.claim(tmp_path / "file")


async def test_removing_follows_no_link_and_minds_no_shut_or_deep_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "kept").write_text("kept")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    (tree / "shut").mkdir()
    (tree / "shut" / "file").touch()
    (tree / "shut").chmod(0)
    os.mkfifo(tree / "pipe")
    descriptor = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=descriptor)
        below = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    await remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").read_text() == "kept"


async def test_a_write_in_a_copy_does_not_change_the_original(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    (original / "file").write_text("before")
    await copy_tree(original, tmp_path / "copy")
    (tmp_path / "copy" / "file").write_text("after")
    assert (original / "file").read_text() == "before"


async def test_a_copy_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SandboxFailed, match="No such file"):
        await copy_tree(tmp_path / "missing", tmp_path / "copy")
