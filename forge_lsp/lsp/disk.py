"""The workspace's files on disk, never by way of a symbolic link that leads elsewhere.

A path is resolved first, so that links inside the folder work as people expect, and then walked
component by component without following any: what changes in between can't lead out.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from forge_lsp.errors import PathRefused
from forge_lsp.paths import ProjectPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def real_path(root: Path, path: ProjectPath) -> ProjectPath:
    """Where `path` ends up under `root`; raises `PathRefused` where that may not be touched."""
    try:
        real = path.under(root).resolve().relative_to(root.resolve())
    except RuntimeError as error:
        # Before Python 3.13 this is how a loop of links shows.
        raise PathRefused(f"The path {path} is refused: its links go in a circle.") from error
    return ProjectPath.parse(real.as_posix())


def read_file(root: Path, path: ProjectPath) -> bytes | None:
    """The file's bytes; None where there is no regular file that may be read."""
    try:
        with _parent_of(root, real_path(root, path)) as (folder, name):
            # Non-blocking: somebody may have put a named pipe here.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return None
                return file.read()
    except (OSError, PathRefused):
        return None


def same_files(root: Path, paths: Sequence[ProjectPath]) -> Mapping[ProjectPath, ProjectPath]:
    """Of the paths that lead to one and the same file: another that does, for each."""
    by_place: dict[tuple[int, int], list[ProjectPath]] = {}
    for path in paths:
        with contextlib.suppress(OSError, PathRefused):
            there = path.under(root).stat()
            by_place.setdefault((there.st_dev, there.st_ino), []).append(path)
    return {
        path: next(other for other in those if other != path)
        for those in by_place.values()
        if len(set(those)) > 1
        for path in those
    }


def write_file(root: Path, path: ProjectPath, content: bytes) -> None:
    """Put the whole file in place at once, with the mode it had; raises OSError, `PathRefused`."""
    with _parent_of(root, real_path(root, path), make=True) as (folder, name):
        aside = f".forge-{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(aside, flags, _mode(folder, name), dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=folder)
            raise


def remove_empty_folders(root: Path, path: ProjectPath) -> None:
    """Take away the folders that a file which is gone has left empty, as git does."""
    *folders, _ = path.split("/")
    with contextlib.suppress(OSError):
        # Up to the first that isn't empty, or is a link: what one leads to is somebody's own.
        while folders:
            with _parent_of(root, ProjectPath.parse("/".join(folders))) as (parent, name):
                os.rmdir(name, dir_fd=parent)
            folders.pop()


def _mode(folder: int, name: str) -> int:
    try:
        return stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0o666


@contextlib.contextmanager
def _parent_of(root: Path, path: ProjectPath, *, make: bool = False) -> Generator[tuple[int, str]]:
    """The open folder that holds `path`, and the name in it."""
    *folders, name = path.split("/")
    current = os.open(root.resolve(), _FOLDER)
    try:
        for folder in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=current)
            inner = os.open(folder, _FOLDER, dir_fd=current)
            os.close(current)
            current = inner
        yield current, name
    finally:
        os.close(current)
