"""A sandbox's files, read and written from outside while hostile code changes them too.

Every path is walked from the sandbox's folder, name by name, and never through a symbolic link;
see `isolation.folders`. Whatever the sandbox swaps meanwhile, nothing outside is touched.
"""

import errno
import os
import secrets
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader, BufferedWriter, FileIO
from pathlib import Path

from forge_lsp.errors import ForgeError, NotFound, PathRefused, SandboxFailed
from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.sandbox.isolation.folders import FOLDER_FLAGS, walk

TEMPORARY_PREFIX = ".forge-"
"""Of the files that a write makes before it puts them in place."""

_LEFT_OUT = frozenset(
    {
        *("node_modules", ".git", "dist"),
        # What dev servers make in a project's folder, by the thousand.
        *(".next", ".nuxt", ".svelte-kit", ".astro", ".turbo", ".output", ".vite", ".parcel-cache"),
    }
)
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BLOCKED = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""What walking into a file, a link, a folder and a socket gives."""


def write_file(root: Path, path: ProjectPath, content: bytes, owner: tuple[int, int]) -> None:
    """Put the whole file in place at once, making folders as needed, all of them `owner`'s.

    Raises `PathRefused` where something other than a file stands there, or other than a folder
    above it; `SandboxFailed` where the disk is full or the sandbox has shut the folder.
    """
    explained = _explained(path, missing=SandboxFailed, blocked=PathRefused)
    with explained, _folder_of(root, path.split("/"), owner) as folder:
        mode = _mode_to_keep(folder, path)
        temporary = TEMPORARY_PREFIX + secrets.token_hex(8)
        descriptor = os.open(temporary, _CREATE_FLAGS, 0o600, dir_fd=folder)
        try:
            with BufferedWriter(FileIO(descriptor, "w")) as file:
                file.write(content)
                file.flush()
                os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise


def read_file(root: Path, path: ProjectPath, max_bytes: int) -> bytes:
    """A regular file's content.

    Raises `NotFound` where there is none, `SandboxFailed` where it is larger than `max_bytes`.
    """
    return read_named(root, path.split("/"), max_bytes)


def read_named(root: Path, names: Sequence[str], max_bytes: int) -> bytes:
    """The same for a file in places that no project path leads to, such as node_modules.

    `names` are single names, none of them `..`.
    """
    path = "/".join(names)
    explained = _explained(path, missing=NotFound, blocked=NotFound)
    with explained, _folder_of(root, names) as folder:
        descriptor = os.open(names[-1], _READ_FLAGS, dir_fd=folder)
        with BufferedReader(FileIO(descriptor)) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotFound(f"{path} isn't a file of the sandbox.")
            content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise SandboxFailed(f"{path} holds more than {max_bytes} bytes.", remedy="")
    return content


def delete_file(root: Path, path: ProjectPath) -> None:
    """Take a file away; one that isn't there is a success, and a link goes, not its target.

    Raises `PathRefused` for a folder.
    """
    explained = _explained(path, missing=NotFound, blocked=PathRefused)
    with suppress(NotFound), explained, _folder_of(root, path.split("/")) as folder:
        os.unlink(path.name, dir_fd=folder)


def list_files(root: Path, max_files: int) -> Sequence[ProjectPath]:
    """The regular files that a project may hold, sorted, without node_modules, .git and dist.

    Raises `SandboxFailed` where there are more than `max_files` files and folders.
    """
    found: list[ProjectPath] = []
    for count, (path, status) in enumerate(walk(root, _is_listed)):
        if count >= max_files:
            raise SandboxFailed(f"The sandbox holds more than {max_files} files.", remedy="")
        if stat.S_ISREG(status.st_mode) and _is_listed(path):
            found.append(ProjectPath.parse(path))
    return sorted(found)


def _is_listed(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name not in _LEFT_OUT and not name.startswith(TEMPORARY_PREFIX) and is_allowed(path)


@contextmanager
def _folder_of(
    root: Path, names: Sequence[str], maker: tuple[int, int] | None = None
) -> Generator[int]:
    """The open folder that the last name is in; with a maker, folders that lack are made, and
    its."""
    folder = os.open(root, FOLDER_FLAGS)
    try:
        for name in names[:-1]:
            if maker:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=folder)
            above, folder = folder, os.open(name, FOLDER_FLAGS, dir_fd=folder)
            os.close(above)
            if maker and os.fstat(folder).st_uid != maker[0]:
                os.fchown(folder, *maker)
        yield folder
    finally:
        os.close(folder)


def _mode_to_keep(folder: int, path: ProjectPath) -> int:
    """The mode of a file that is to be written: that it could be run is kept, if it could."""
    try:
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0o644
    if not stat.S_ISREG(status.st_mode):
        raise PathRefused(f"{path} is refused: what stands there is not a file.")
    return 0o644 | (status.st_mode & 0o111)


@contextmanager
def _explained(
    path: str, *, missing: type[ForgeError], blocked: type[ForgeError]
) -> Generator[None]:
    """Turn what the system says into what people can use."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise missing(f"{path} isn't in the sandbox.") from error
        if error.errno in _BLOCKED:
            raise blocked(
                f"{path} is refused: a link, or no file or folder, is in its way."
            ) from error
        if error.errno in _FULL:
            raise SandboxFailed(
                f"There is no room for {path}.", remedy="Free some disk space and try again."
            ) from error
        raise SandboxFailed(f"The sandbox keeps {path} shut: {error.strerror}.") from error
