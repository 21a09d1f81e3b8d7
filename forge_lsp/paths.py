"""The only way in which a path that somebody named enters forge-lsp.

Models, HTTP bodies, sandboxes and workspace files all name paths, and all of them are hostile
input. A `ProjectPath` is the proof that one was checked.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Self

from forge_lsp.errors import PathRefused

MAX_PATH_BYTES = 1024
MAX_COMPONENT_BYTES = 255

PROTECTED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".vscode",
        ".idea",
        "node_modules",
        # A registry named in one of these beats the `--registry` that installs are given.
        ".npmrc",
        ".pnpmfile.cjs",
        ".yarnrc",
        ".yarnrc.yml",
        "bunfig.toml",
    }
)
"""Components that no project path may hold, compared in lower case; `.env*` is refused too."""

_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_UNSAFE_CHARACTERS = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\u2028\u2029\ud800-\udfff]')


class ProjectPath(str):
    """A relative POSIX path that stays inside its project and names no protected place.

    It is a `str`, so it serves as a key and in messages; only `parse` makes one.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check `text` and give it in its normal form (no `./`, no doubled slash).

        Raises `PathRefused`, whose message names the path and the rule that it breaks.
        """
        reason = _why_refused(text)
        if reason:
            raise PathRefused(f"The path {_quoted(text)} is refused: {reason}.")
        return cls(str(PurePosixPath(text)))

    @property
    def name(self) -> str:
        """The last component."""
        return PurePosixPath(self).name

    @property
    def suffix(self) -> str:
        """The last component's ending with its dot, in lower case; empty where it has none."""
        return PurePosixPath(self).suffix.lower()

    def under(self, root: Path) -> Path:
        """Where this path stands under `root`, whose symlinks must not lead out of it.

        The answer is good for the moment only: code that writes where a sandbox may write too
        must walk the path component by component instead.
        """
        base = root.resolve()
        place = base.joinpath(*self.split("/"))
        try:
            stays = place.resolve().is_relative_to(base)
        except (OSError, RuntimeError):
            # Links that lead in a circle: Python 3.11 and 3.12 raise RuntimeError for them.
            stays = False
        if not stays:
            raise PathRefused(
                f"The path {_quoted(self)} is refused: a symbolic link in it leads out of {root}."
            )
        return place


def is_allowed(text: str) -> bool:
    """Whether `ProjectPath.parse` would take `text`."""
    return not _why_refused(text)


def _why_refused(text: str) -> str:
    if not text:
        return "it is empty"
    if found := _UNSAFE_CHARACTERS.search(text):
        return f"it holds the character {found.group()!r}"
    if text.startswith("/"):
        return "it is not relative to the project"
    if len(text.encode()) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    components = [part for part in text.split("/") if part not in ("", ".")]
    if not components or text.endswith("/"):
        return "it names no file"
    if components[0].startswith("~"):
        return "it is not relative to the project"
    for component in components:
        if reason := _why_component_refused(component):
            return reason
    return ""


def _why_component_refused(component: str) -> str:
    folded = component.lower()
    if component == "..":
        return "it leaves the project"
    if folded in PROTECTED or folded.startswith(".env"):
        return f"{component} is protected"
    if component != component.strip() or component.endswith("."):
        return f"the name {component!r} has a space at an end or a dot at its end"
    if _WINDOWS_DEVICES.fullmatch(component):
        return f"{component} is a device name on Windows"
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"a name in it is longer than {MAX_COMPONENT_BYTES} bytes"
    return ""


def _quoted(text: str) -> str:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return ascii(shown)
