"""Who the sandboxes run as, and which folders they can reach."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

UNPRIVILEGED_ID = 60986
"""The user and group of sandboxes that a server run by root starts.

It lies between the ranges that Debian and systemd hand out (systemd's UIDS-GIDS document calls
60578 to 61183 unused), and below 65536, where the user namespaces of containers end.
"""

SYSTEM_DATA_ROOT = Path("/var/lib/forge-lsp")


class SpawnArguments(TypedDict, total=False):
    """What `subprocess.Popen` takes to start a process as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group that everything of a sandbox runs as, and that own its files."""

    uid: int
    gid: int

    @classmethod
    def choose(cls) -> Self:
        """Ourselves; for root an unprivileged one, because bubblewrap doesn't hold real root."""
        if os.geteuid() == 0:
            return cls(UNPRIVILEGED_ID, UNPRIVILEGED_ID)
        return cls(os.geteuid(), os.getegid())

    @property
    def spawn_arguments(self) -> SpawnArguments:
        """Empty where a child is this identity anyway."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, place: Path) -> bool:
        """Whether the mode bits of every folder above `place` let this identity through.

        What doesn't exist yet counts as reachable: we make it so.
        """
        return all(self._may_enter(folder) for folder in place.resolve().parents)

    def _may_enter(self, folder: Path) -> bool:
        try:
            status = folder.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def choose_data_root(preferred: Path, identity: Identity) -> Path:
    """Where the folders of sandboxes go: `preferred`, or a system folder where that is shut.

    Root's home and all below it are closed to the unprivileged identity. The folder is made; what
    is given is where it really lies, as the links on the way may lead through what is shut.
    """
    root = preferred.resolve()
    if os.geteuid() == 0 and not identity.reaches(preferred / "any"):
        root = SYSTEM_DATA_ROOT
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    return root
