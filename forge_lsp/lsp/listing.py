"""What a workspace folder holds, without what its .gitignore files hide."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from forge_lsp.errors import PathRefused
from forge_lsp.lsp.disk import read_file, real_path
from forge_lsp.paths import ProjectPath, is_allowed

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILES = 20_000
"""A folder with more is listed up to here; it is no project that fits a prompt."""


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The .gitignore files of a folder, each for what lies below it ("" for the root)."""

    specs: "Mapping[str, GitIgnoreSpec]" = field(default_factory=dict["str", "GitIgnoreSpec"])

    def hide(self, path: str) -> bool:
        """Whether git would leave the file out, itself or a folder above it (gitignore(5))."""
        parts = path.split("/")
        return any(
            self.hides_itself("/".join(parts[:count]) + ("/" if count < len(parts) else ""))
            for count in range(1, len(parts) + 1)
        )

    def hides_itself(self, path: str) -> bool:
        """For a path whose folders aren't hidden; a folder's ends in a slash.

        What the nearest .gitignore that has a word on it says, counts.
        """
        parts = path.rstrip("/").split("/")
        for count in range(len(parts) - 1, -1, -1):
            folder = "/".join(parts[:count])
            spec = self.specs.get(folder)
            if spec is None:
                continue
            inside = path[len(folder) + 1 :] if folder else path
            verdict = spec.check_file(inside).include
            if verdict is not None:
                return verdict
        return False


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder as it was looked at last."""

    paths: Sequence[ProjectPath] = ()
    folders: Sequence[str] = ()
    """Those that aren't hidden, without the folder itself."""
    is_whole: bool = True
    """It holds no more files than are listed."""
    rules: IgnoreRules = field(default_factory=IgnoreRules)


def list_folder(root: Path) -> Listing:
    """Walk the folder; links to folders are not followed, links to files only within it."""
    base = root.resolve()
    specs: dict[str, GitIgnoreSpec] = {}
    rules = IgnoreRules(specs)
    found: list[ProjectPath] = []
    folders: list[str] = []
    waiting = [""]
    while waiting and len(found) < MAX_FILES:
        folder = waiting.pop()
        spec = _spec_of(root, folder)
        if spec is not None:
            specs[folder] = spec
        for entry in _entries(base / folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_allowed(path) or rules.hides_itself(path + "/" * is_folder):
                continue
            if is_folder:
                waiting.append(path)
                folders.append(path)
            elif _is_file_inside(entry, root, path):
                found.append(ProjectPath.parse(path))
    is_whole = not waiting and len(found) <= MAX_FILES
    return Listing(sorted(found[:MAX_FILES]), folders, is_whole, rules)


def _spec_of(root: Path, folder: str) -> "GitIgnoreSpec | None":
    # Costs 30 ms to import, and only who works in a folder needs it.
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    name = f"{folder}/.gitignore" if folder else ".gitignore"
    content = read_file(root, ProjectPath.parse(name))
    if content is None:
        return None
    patterns: list[str] = []
    for line in content.decode("utf-8", "replace").splitlines():
        try:
            GitIgnoreSpec.from_lines([line])
        except GitIgnorePatternError:
            # git passes over a pattern that it can't read, and so do we.
            continue
        patterns.append(line)
    return GitIgnoreSpec.from_lines(patterns)


def _entries(folder: Path) -> Sequence["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        # A folder that can't be read, or is gone by now, holds nothing for us.
        return ()


def _is_file_inside(entry: "os.DirEntry[str]", root: Path, path: str) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    try:
        real = real_path(root, ProjectPath.parse(path))
    except PathRefused:
        return False
    return (root / real).is_file()
