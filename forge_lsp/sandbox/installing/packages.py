"""Names of packages, and the manifests that list them, as models write them.

npm takes far more than names: a dependency may be a URL, a git repository, a folder, or another
package under a false name. All of that is refused; what is left comes out of one registry.
Names: the section on `name` in npm's document on package.json.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Self, cast

from forge_lsp.errors import PackageRefused

MAX_NAME_CHARACTERS = 214
MAX_RANGE_CHARACTERS = 256
MAX_MANIFEST_BYTES = 1_000_000

_NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_NUMBER = r"(?:\d{1,16}|[xX*])"
_BOUND = rf"[v=]?{_NUMBER}(?:\.{_NUMBER}){{0,2}}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_COMPARATOR = re.compile(rf"(?:[~^]|[<>]=?)?{_BOUND}")
_OPERATOR_AND_SPACE = re.compile(r"([~^<>=]) +")
_DEPENDENCIES = (
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
)


@dataclass(frozen=True, slots=True)
class PackageRequest:
    """A package as somebody asked for it."""

    name: str
    wanted: str
    """A semver range, an exact version or a dist-tag; empty where any will do."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name` or `name@range`; raises `PackageRefused`."""
        at = text.find("@", 1)
        name, wanted = (text, "") if at < 0 else (text[:at], text[at + 1 :])
        if reason := why_name_refused(name):
            raise PackageRefused(f"The package {_quoted(text)} is refused: {reason}.")
        if at >= 0 and (reason := why_range_refused(wanted)):
            raise PackageRefused(f"The package {_quoted(text)} is refused: {reason}.")
        return cls(name, wanted.strip())

    def __str__(self) -> str:
        return f"{self.name}@{self.wanted}" if self.wanted else self.name


def why_name_refused(name: str) -> str:
    """Why npm would not take this name from its registry; empty where it would."""
    if not name:
        return "it has no name"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"its name is longer than {MAX_NAME_CHARACTERS} characters"
    # Without this the pattern lets an option such as `-g` in.
    if any(part.startswith((".", "_", "-")) for part in name.removeprefix("@").split("/")):
        return "a name can't begin with a dot, an underscore or a dash"
    if not name.isascii() or not _NAME.fullmatch(name):
        return f"{_quoted(name)} is no name that the registry could hold"
    if name in ("node_modules", "favicon.ico"):
        return "npm keeps this name for itself"
    return ""


def why_range_refused(wanted: str) -> str:
    """Why this is neither a semver range nor a dist-tag; empty where it is one."""
    if len(wanted) > MAX_RANGE_CHARACTERS or not wanted.isascii() or not wanted.isprintable():
        return "its version is no semver range"
    if not wanted.strip():
        return "its version is empty"
    if all(_is_comparator_set(each) for each in wanted.split("||")):
        return ""
    if _TAG.fullmatch(wanted.strip()):
        return ""
    return f"{_quoted(wanted)} is neither a semver range nor a tag of the registry"


def check_manifest(content: bytes) -> None:
    """Refuse a `package.json` that npm would fetch or link anything by, but from its registry.

    Raises `PackageRefused`, whose message names the first entry that is wrong.
    """
    manifest = _manifest(content)
    for field in _DEPENDENCIES:
        for name, wanted in _object(manifest.get(field), field).items():
            _check_entry(field, name, wanted)
    _check_overrides(_object(manifest.get("overrides"), "overrides"))
    if manifest.get("workspaces"):
        raise PackageRefused("package.json is refused: workspaces are not installed in a sandbox.")


def _is_comparator_set(text: str) -> bool:
    """The grammar: https://github.com/npm/node-semver#range-grammar."""
    words = _OPERATOR_AND_SPACE.sub(r"\1", text).split()
    if len(words) == 3 and words[1] == "-":
        del words[1]
    return all(_COMPARATOR.fullmatch(word) for word in words)


def _manifest(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_MANIFEST_BYTES:
        raise PackageRefused(f"package.json is refused: it is over {MAX_MANIFEST_BYTES} bytes.")
    try:
        return _object(json.loads(content), "package.json")
    except (ValueError, RecursionError) as error:
        raise PackageRefused("package.json is refused: it is not valid JSON.") from error


def _check_entry(field: str, name: str, wanted: object) -> None:
    reason = why_name_refused(name)
    if not reason:
        if isinstance(wanted, str):
            # npm reads an empty range as any version.
            reason = why_range_refused(wanted) if wanted.strip() else ""
        else:
            reason = "its version is no text"
    if reason:
        raise PackageRefused(
            f"package.json is refused: {_quoted(name)} in {field} can't be installed: {reason}."
        )


def _check_overrides(overrides: dict[str, Any]) -> None:
    """Overrides nest, and `.` is the package itself; see npm's document on package.json."""
    left = [overrides]
    while left:
        for key, value in left.pop().items():
            if isinstance(value, dict):
                left.append(cast("dict[str, Any]", value))
            elif isinstance(value, str) and value.startswith("$"):
                if reason := why_name_refused(value[1:]):
                    raise PackageRefused(f"package.json is refused: an override: {reason}.")
            elif key == ".":
                _check_entry("overrides", "root", value)
            else:
                _check_entry("overrides", PackageRequest.parse(key).name, value)


def _object(value: object, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PackageRefused(f"package.json is refused: {field} is no object.")
    return cast("dict[str, Any]", value)


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
