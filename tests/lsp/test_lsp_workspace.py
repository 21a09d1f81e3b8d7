"""Which folders are worked in, which files are seen, and which may be written."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from forge_lsp.errors import PathRefused, WorkspaceRefused
from forge_lsp.lsp.disk import read_file, real_path, write_file
from forge_lsp.lsp.folder import open_folder
from forge_lsp.lsp.listing import list_folder
from forge_lsp.paths import ProjectPath


def path(text: str) -> ProjectPath:
    return ProjectPath.parse(text)


def test_the_home_folder_the_root_and_what_is_above_home_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "people" / "me"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    link = tmp_path / "link"
    link.symlink_to(home)
    for folder in (home, home.parent, Path("/"), link):
        with pytest.raises(WorkspaceRefused):
            open_folder(folder.as_uri())
    inside = home / "project"
    inside.mkdir()
    assert open_folder(inside.as_uri()) == inside


def test_a_missing_folder_a_file_and_another_scheme_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for uri in ((tmp_path / "none").as_uri(), file.as_uri(), "untitled:x", "vscode-vfs://x/y"):
        with pytest.raises(WorkspaceRefused):
            open_folder(uri)


def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        folder = tmp_path / "project"
        folder.mkdir(mode=0o555)
        with pytest.raises(WorkspaceRefused, match="can't be written"):
            open_folder(folder.as_uri())
        return
    # For root no folder is read-only: ask as somebody else, who may see nothing of this user's.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from forge_lsp.lsp.folder import open_folder\n"
        "from forge_lsp.errors import WorkspaceRefused\n"
        "os.chdir('/'); os.setgid(65534); os.setuid(65534)\n"
        "Path.home = lambda: Path('/nonexistent')\n"
        "try: open_folder('file://' + sys.argv[1])\n"
        "except WorkspaceRefused as error: print(error.message)\n"
    )
    with tempfile.TemporaryDirectory(prefix="forge-lsp-test-") as name:
        Path(name).chmod(0o555)
        told = subprocess.run(
            [sys.executable, "-c", code, name],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert "can't be written" in told.stdout


def test_what_gitignore_hides_is_neither_listed_nor_shown(tmp_path: Path) -> None:
    files = {
        ".gitignore": "dist/\n*.log\n!keep.log\n/only-top\n",
        "src/.gitignore": "secret.ts\n!loud.log\n",
        "src/a.ts": "",
        "src/secret.ts": "",
        "src/loud.log": "",
        "src/only-top": "",
        "only-top": "",
        "keep.log": "",
        "drop.log": "",
        "dist/keep.log": "",
        "node_modules/x/index.js": "",
        ".env": "",
        ".env.local": "",
        ".git/config": "",
        "ünï 😀.ts": "",
    }
    for name, text in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    listing = list_folder(tmp_path)
    assert listing.paths == [
        ".gitignore",
        "keep.log",
        "src/.gitignore",
        "src/a.ts",
        "src/loud.log",
        "src/only-top",
        "ünï 😀.ts",
    ]
    hidden = ["dist/new.ts", "dist/keep.log", "drop.log", "a/b/c.log", "src/secret.ts", "only-top"]
    assert [name for name in hidden if not listing.rules.hide(name)] == []
    shown = ["keep.log", "src/loud.log", "src/only-top", "distant/a.ts", "new.ts"]
    assert [name for name in shown if listing.rules.hide(name)] == []


def test_a_gitignore_of_nonsense_hides_what_its_other_lines_name(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe[\n!\n///\n[a-\nhidden\n")
    listing = list_folder(tmp_path)
    assert listing.rules.hide("hidden")
    assert not listing.rules.hide("src/a.ts")


def test_links_that_leave_the_folder_are_neither_listed_nor_read_nor_written(
    tmp_path: Path,
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "dangling").symlink_to(outside / "new")
    (root / "loop").symlink_to(root / "loop")
    assert list_folder(root).paths == []
    for name in ("file", "folder/secret", "folder/new", "dangling"):
        assert read_file(root, path(name)) is None
        with pytest.raises(PathRefused):
            write_file(root, path(name), b"x")
    assert sorted(each.name for each in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_link_inside_to_a_protected_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".env")
    assert list_folder(tmp_path).paths == []
    assert read_file(tmp_path, path("notes.txt")) is None
    with pytest.raises(PathRefused):
        real_path(tmp_path, path("notes.txt"))


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("a")
    (tmp_path / "link").symlink_to("real")
    assert read_file(tmp_path, path("link/a")) == b"a"
    write_file(tmp_path, path("link/a"), b"b")
    assert (tmp_path / "real" / "a").read_bytes() == b"b"


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert read_file(tmp_path, path("pipe")) is None
    assert read_file(tmp_path, path("folder")) is None
    assert list_folder(tmp_path).paths == []


def test_a_written_file_keeps_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("old")
    script.chmod(0o755)
    write_file(tmp_path, path("run.sh"), b"new")
    write_file(tmp_path, path("a/b/c"), b"deep")
    assert script.stat().st_mode & 0o777 == 0o755
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "run.sh"]
    assert (tmp_path / "a/b/c").read_bytes() == b"deep"
