"""Which sandboxes of dead processes this one has taken up, so that no other does."""

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Claims:
    """A lock for each, in a folder that all processes of one user share; it ends with us."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[Path, int] = {}

    def take(self, sandbox_id: str) -> bool:
        """Whether the sandbox is ours from now on; not where some process has it. Raises
        `OSError`."""
        if not _NAME.fullmatch(sandbox_id):
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._folder / sandbox_id
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held[place] = descriptor
        return True

    def give_back(self) -> None:
        """Hold none any more: their sandboxes have ended."""
        while self._held:
            place, descriptor = self._held.popitem()
            with suppress(OSError):
                place.unlink(missing_ok=True)
            os.close(descriptor)
