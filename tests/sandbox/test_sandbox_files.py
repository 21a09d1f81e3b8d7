import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forge_lsp.errors import ForgeError, NotFound, PathRefused, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.files import delete_file, list_files, read_file, write_file

OWNER = (os.geteuid(), os.getegid())
LIMIT = 1_000_000


def path(text: str) -> ProjectPath:
    return ProjectPath.parse(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "sandbox"
    place.mkdir()
    return place


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "secret.txt").write_bytes(b"secret")
    return place


def write(root: Path, name: str, content: bytes) -> None:
    write_file(root, path(name), content, OWNER)


def test_what_is_written_is_read_back_and_folders_are_made(root: Path) -> None:
    write(root, "src/components/Button.tsx", b"one")
    write(root, "src/components/Button.tsx", b"two")
    assert read_file(root, path("src/components/Button.tsx"), LIMIT) == b"two"
    assert list(root.rglob(".forge-*")) == []


def test_files_and_folders_have_the_owner_and_ordinary_modes(root: Path) -> None:
    owner = (60999, 60998) if os.geteuid() == 0 else OWNER
    write_file(root, path("src/App.tsx"), b"x", owner)
    for made, mode in ((root / "src", 0o755), (root / "src/App.tsx", 0o644)):
        status = made.stat()
        assert (status.st_uid, status.st_gid) == owner
        assert stat.S_IMODE(status.st_mode) == mode


def test_a_program_stays_one_and_setuid_does_not_last(root: Path) -> None:
    (root / "run.sh").write_bytes(b"old")
    (root / "run.sh").chmod(0o4755)
    write(root, "run.sh", b"new")
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o755


def test_a_hard_link_to_a_file_leaves_the_other_name_alone(root: Path, outside: Path) -> None:
    os.link(outside / "secret.txt", root / "linked.txt")
    write(root, "linked.txt", b"new")
    assert (outside / "secret.txt").read_bytes() == b"secret"


def make_link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "secret.txt")


def make_dangling_link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "new.txt")


def make_fifo(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def make_folder(place: Path, outside: Path) -> None:
    place.mkdir()


def make_socket(place: Path, outside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        folder = os.open(place.parent, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{folder}/{place.name}")
        os.close(folder)


NOT_FILES = [make_link, make_dangling_link, make_fifo, make_folder, make_socket]


@pytest.mark.parametrize("make", NOT_FILES)
def test_only_files_are_written_over(
    root: Path, outside: Path, make: Callable[[Path, Path], None]
) -> None:
    make(root / "target", outside)
    with pytest.raises(PathRefused, match="target"):
        write(root, "target", b"x")
    assert sorted(place.name for place in outside.iterdir()) == ["secret.txt"]
    assert (outside / "secret.txt").read_bytes() == b"secret"
    assert [place.name for place in root.iterdir()] == ["target"]


@pytest.mark.parametrize("make", NOT_FILES)
@pytest.mark.timeout(10)
def test_only_files_are_read(root: Path, outside: Path, make: Callable[[Path, Path], None]) -> None:
    make(root / "target", outside)
    with pytest.raises(NotFound):
        read_file(root, path("target"), LIMIT)


@pytest.mark.parametrize("target", ["outside", "sandbox/real", "sandbox/file"])
def test_no_link_or_file_is_walked_through(root: Path, outside: Path, target: str) -> None:
    (root / "real").mkdir()
    (root / "file").write_bytes(b"")
    (root / "folder").symlink_to(root.parent / target)
    for name in ("folder/secret.txt", "folder/deeper/secret.txt"):
        with pytest.raises(PathRefused):
            write(root, name, b"x")
        with pytest.raises(NotFound):
            read_file(root, path(name), LIMIT)
        with pytest.raises(PathRefused):
            delete_file(root, path(name))
    assert [place.name for place in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_bytes() == b"secret"
    assert list((root / "real").iterdir()) == []


def test_a_file_is_no_folder(root: Path) -> None:
    write(root, "src", b"x")
    with pytest.raises(PathRefused):
        write(root, "src/App.tsx", b"x")


def test_what_is_not_there_is_not_found(root: Path) -> None:
    for name in ("a.txt", "a/b/c.txt"):
        with pytest.raises(NotFound):
            read_file(root, path(name), LIMIT)


def test_reading_stops_at_the_limit(root: Path) -> None:
    write(root, "large", b"x" * 101)
    assert len(read_file(root, path("large"), 101)) == 101
    with pytest.raises(SandboxFailed, match="100 bytes"):
        read_file(root, path("large"), 100)


def test_deleting_takes_away_files_and_is_content_where_there_is_none(root: Path) -> None:
    write(root, "a/b.txt", b"x")
    delete_file(root, path("a/b.txt"))
    delete_file(root, path("a/b.txt"))
    delete_file(root, path("not/there.txt"))
    assert list_files(root, 10) == []


def test_deleting_a_link_leaves_what_it_leads_to(root: Path, outside: Path) -> None:
    make_link(root / "target", outside)
    delete_file(root, path("target"))
    assert (outside / "secret.txt").read_bytes() == b"secret"
    assert list(root.iterdir()) == []


def test_a_folder_is_not_deleted(root: Path) -> None:
    (root / "src").mkdir()
    with pytest.raises(PathRefused):
        delete_file(root, path("src"))
    assert (root / "src").is_dir()


def test_the_list_is_sorted_and_holds_what_a_project_may_hold(root: Path, outside: Path) -> None:
    for name in ("src/main.tsx", "index.html", "src/a/b.css"):
        write(root, name, b"x")
    for name in (
        "node_modules/react/index.js",
        "packages/one/node_modules/x.js",
        ".git/config",
        "dist/index.html",
        ".env",
        ".npmrc",
        ".forge-0123",
        "src/new\nline.ts",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / os.fsdecode(b"not-\xff-unicode")).write_bytes(b"x")
    (root / "folder").symlink_to(outside)
    make_link(root / "link", outside)
    make_fifo(root / "fifo", outside)
    make_socket(root / "socket", outside)
    assert list_files(root, 100) == ["index.html", "src/a/b.css", "src/main.tsx"]


def test_a_link_in_a_circle_ends(root: Path) -> None:
    (root / "again").symlink_to(root)
    assert list_files(root, 10) == []


def test_a_list_is_bounded(root: Path) -> None:
    for number in range(11):
        write(root, f"{number}.txt", b"")
    with pytest.raises(SandboxFailed, match="more than 10 files"):
        list_files(root, 10)
    assert len(list_files(root, 11)) == 11


def test_folders_nested_without_end_are_refused_with_few_descriptors(root: Path) -> None:
    folder = os.open(root, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=folder)
        above, folder = folder, os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(above)
    os.close(folder)
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    with pytest.raises(SandboxFailed, match="deep"):
        list_files(root, 1000)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_a_sandbox_that_is_gone_is_explained(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ForgeError):
        write(gone, "a.txt", b"x")
    with pytest.raises(NotFound):
        read_file(gone, path("a.txt"), LIMIT)
    with pytest.raises(ForgeError):
        list_files(gone, 10)


def test_a_full_disk_is_explained_and_leaves_the_old_file(root: Path) -> None:
    write(root, "a.txt", b"old")
    with file_size_limit(1000), pytest.raises(SandboxFailed, match="no room") as raised:
        write(root, "a.txt", b"x" * 2000)
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.EFBIG
    assert read_file(root, path("a.txt"), LIMIT) == b"old"
    assert [place.name for place in root.iterdir()] == ["a.txt"]


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


SWAP = """
import ctypes, sys
libc = ctypes.CDLL(None)
one, other = (name.encode() for name in sys.argv[1:])
print("up", flush=True)
while libc.renameat2(-100, one, -100, other, 2) == 0:  # RENAME_EXCHANGE
    pass
"""


@pytest.fixture
def swapping(root: Path, outside: Path) -> Iterator[None]:
    """`src` is now a folder and now a link out of the sandbox, as fast as a process can."""
    (root / "src").mkdir()
    (root / "link").symlink_to(outside)
    names = [os.fspath(root / "src"), os.fspath(root / "link")]
    with subprocess.Popen([sys.executable, "-c", SWAP, *names], stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout
        assert swapper.stdout.readline() == b"up\n"
        yield
        assert swapper.poll() is None
        swapper.kill()


@pytest.mark.usefixtures("swapping")
def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(
    root: Path, outside: Path
) -> None:
    written = refused = 0
    for _ in range(3000):
        try:
            write(root, "src/secret.txt", b"overwritten")
            written += 1
            assert read_file(root, path("src/secret.txt"), LIMIT) == b"overwritten"
            delete_file(root, path("src/secret.txt"))
        except (NotFound, PathRefused):
            refused += 1
        assert set(list_files(root, 100)) <= {"src/secret.txt", "link/secret.txt"}
    assert written
    assert refused
    assert [place.name for place in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_bytes() == b"secret"
