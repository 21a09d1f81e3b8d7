"""Disks that are full for a while."""

import os
import resource
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e_editor import Editor
from e2e_tools import executable, lacking

PIECE_BYTES = 1 << 20

_MOUNT = '"$0" -t tmpfs -o size="$1" forge-lsp-tests "$2" && shift 2 && exec "$@"'


def on_small_disk(folder: Path, size: str) -> Sequence[str]:
    """A command that runs another for which `folder` is a disk of its own, empty at first.

    Nobody else sees that disk, and it is gone with the last process that does.
    """
    # By their places: the environment that they will run in may have another PATH.
    own_mounts = [str(executable("unshare")), "--mount"]
    if os.geteuid() != 0:
        own_mounts += ["--user", "--map-root-user"]
    shell = (str(executable("sh")), "-c", _MOUNT, str(executable("mount")))
    command = (*own_mounts, *shell, size, str(folder))
    tried = subprocess.run(
        [*command, str(executable("true"))], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        lacking(f"no disk can be mounted here: {tried.stderr.strip()}")
    return command


def seen_by(editor: Editor, folder: Path) -> Path:
    """`folder` as the editor's server sees it."""
    return Path(f"/proc/{editor.process.pid}/root{folder}")


@contextmanager
def filled(folder: Path) -> Generator[None]:
    """The disk of `folder` without room for another byte."""
    filler = folder / "filler"
    try:
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(PIECE_BYTES))
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def no_file_may_grow(pid: int = 0) -> Generator[None]:
    """What a full disk is to a process where none can be mounted; 0 means our own process."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
