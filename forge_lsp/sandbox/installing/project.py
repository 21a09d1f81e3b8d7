"""What kind of project a workspace holds: what keeps its packages, and what starts it.

Pure: everything is read off package.json and the lock file, which are hostile input.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from forge_lsp.paths import ProjectPath

MANIFEST = ProjectPath.parse("package.json")
SCRIPTS = ("dev", "start", "serve")
"""The scripts that may start a dev server, the likeliest first."""

ManagerName = Literal["npm", "pnpm", "yarn", "yarn-berry", "bun"]

_LOCKS: Mapping[ManagerName, Sequence[str]] = {
    "pnpm": ("pnpm-lock.yaml",),
    "yarn": ("yarn.lock",),
    "bun": ("bun.lock", "bun.lockb"),
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
}
_NAMED = re.compile(
    r"(npm|pnpm|yarn|bun)@(\d{1,6}\.\d{1,6}\.\d{1,6}(?:-[0-9A-Za-z.-]{1,40})?)(\+.*)?"
)
"""The field `packageManager`: https://nodejs.org/api/packages.html#packagemanager."""
_PNPM_LOCK_VERSION = re.compile(r"^lockfileVersion:\s*'?(\d+)\.(\d+)", re.MULTILINE)
_PNPM_OF_LOCK = {"5": "7", "6": "8"}
"""Which pnpm writes which version of its lock file; later ones read all that came after."""


@dataclass(frozen=True, slots=True)
class Managed:
    """The package manager that a project is kept with."""

    name: ManagerName
    wanted: str
    """A version or range of the manager's own package; empty where the newest will do."""
    lock: ProjectPath | None
    """The lock file that says what is installed; None where there is none."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project that runs by its own package.json."""

    managed: Managed
    script: str
    """The name of the script that starts its dev server."""


def recognise(
    paths: Collection[ProjectPath],
    manifest: bytes | None,
    lock: Mapping[ProjectPath, bytes],
    template: bytes,
) -> Project | None:
    """The project that these files make; None for one that runs as the template does.

    `manifest` is its package.json, `template` the template's, and `lock` holds the lock files
    of `lock_files`.
    """
    mine = _object(manifest)
    script = next((name for name in SCRIPTS if name in _texts(mine.get("scripts"))), None)
    if script is None or _fits(mine, _object(template)):
        return None
    return Project(_managed(paths, mine, lock), script)


def lock_files(paths: Collection[ProjectPath]) -> Sequence[ProjectPath]:
    """The lock files among `paths` that `recognise` reads."""
    return [ProjectPath.parse(each) for names in _LOCKS.values() for each in names if each in paths]


def listed_packages(manifest: bytes) -> Sequence[str]:
    """`name@range` of each dependency in a package.json; nothing where it can't be read."""
    return [f"{name}@{wanted}" for name, wanted in _listed(_object(manifest)).items()]


def _fits(mine: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    """Whether the template's packages and dev server serve this project, too."""
    listed, offered = _listed(mine), _listed(template)
    ours = _texts(template.get("scripts")).get("dev")
    return (
        _texts(mine.get("scripts")).get("dev") == ours
        and "vite" in listed
        and all(listed[name] == offered[name] for name in listed.keys() & offered.keys())
    )


def _managed(
    paths: Collection[ProjectPath], mine: Mapping[str, Any], lock: Mapping[ProjectPath, bytes]
) -> Managed:
    named = mine.get("packageManager")
    match = _NAMED.fullmatch(named) if isinstance(named, str) and len(named) < 400 else None
    locks = lock_files(paths)
    if match:
        name = cast("ManagerName", match[1])
        mine_too = [each for each in locks if each in _LOCKS[name]]
        found = mine_too[0] if mine_too else None
        if name == "yarn" and not match[2].startswith("1."):
            name = "yarn-berry"
        return Managed(name, match[2], found)
    for name, names in _LOCKS.items():
        if found := next((each for each in locks if each in names), None):
            return _by_lock(name, found, lock.get(found, b"").decode("utf-8", "replace"))
    return Managed("npm", "", None)


def _by_lock(name: ManagerName, path: ProjectPath, text: str) -> Managed:
    if name == "yarn":
        # Yarn 1 says so in a comment, and every later one in an entry of this name.
        berry = re.search(r"^__metadata:", text, re.MULTILINE) is not None
        return Managed("yarn-berry" if berry else "yarn", "" if berry else "1", path)
    if name == "pnpm" and (found := _PNPM_LOCK_VERSION.search(text)):
        return Managed(name, _PNPM_OF_LOCK.get(found[1], ""), path)
    return Managed(name, "", path)


def _listed(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        name: wanted
        for group in ("dependencies", "devDependencies")
        for name, wanted in _texts(manifest.get(group)).items()
    }


def _texts(value: object) -> Mapping[str, str]:
    """The entries of an object that are text."""
    if not isinstance(value, dict):
        return {}
    fields = cast("dict[str, object]", value)
    return {name: text for name, text in fields.items() if isinstance(text, str)}


def _object(content: bytes | None) -> Mapping[str, Any]:
    try:
        value: object = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
