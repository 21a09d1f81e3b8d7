"""What a registry says about one package: which versions there are, and how old they are.

The document is npm's "packument": https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
)
"""A version after https://semver.org, without the rule on leading zeros of pre-releases."""
MAX_VERSION_CHARACTERS = 256


class Dist(msgspec.Struct, omit_defaults=True):
    """Where a version's tarball is, and its checksums."""

    tarball: str
    integrity: Any = msgspec.UNSET
    shasum: Any = msgspec.UNSET


class Version(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What npm needs of a version to install it: the fields of its abbreviated documents."""

    name: str
    version: str
    dist: Dist
    dependencies: Any = msgspec.UNSET
    optional_dependencies: Any = msgspec.UNSET
    peer_dependencies: Any = msgspec.UNSET
    peer_dependencies_meta: Any = msgspec.UNSET
    bundle_dependencies: Any = msgspec.UNSET
    bin: Any = msgspec.UNSET
    directories: Any = msgspec.UNSET
    engines: Any = msgspec.UNSET
    os: Any = msgspec.UNSET
    cpu: Any = msgspec.UNSET
    libc: Any = msgspec.UNSET
    deprecated: Any = msgspec.UNSET
    has_install_script: Any = msgspec.UNSET


class _Document(msgspec.Struct, omit_defaults=True):
    name: str
    tags: dict[str, str] = msgspec.field(name="dist-tags", default_factory=dict[str, str])
    versions: dict[str, Version] = {}
    time: dict[str, Any] = {}
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Packument:
    """A package's versions. Times are seconds since the epoch."""

    name: str
    tags: Mapping[str, str]
    versions: Mapping[str, Version]
    published: Mapping[str, float]
    """When each version came out; empty where the registry didn't say."""
    modified: float | None
    """When anything about the package changed last; None where the registry didn't say."""

    def knows_ages_before(self, moment: float) -> bool:
        """Whether it can tell which versions came out before `moment`."""
        return bool(self.published) or (self.modified is not None and self.modified <= moment)


_decoder = msgspec.json.Decoder(_Document)
_encoder = msgspec.json.Encoder()


def decode(name: str, data: bytes) -> Packument:
    """Read a packument, full or abbreviated; raises `ValueError` for anything else."""
    document = _decoder.decode(data)
    if document.name != name:
        raise ValueError(f"it is about {document.name[:80]!r}")
    versions = {
        number: version
        for number, version in document.versions.items()
        if number == version.version and version.name == name and is_version(number)
    }
    published = {number: _seconds(document.time.get(number)) for number in versions}
    return Packument(
        name=name,
        tags={tag: number for tag, number in document.tags.items() if number in versions},
        versions=versions,
        published={number: at for number, at in published.items() if at is not None},
        modified=_seconds(document.modified),
    )


def encode(packument: Packument, registry: str) -> bytes:
    """The abbreviated document, with every tarball at `registry`."""
    versions = {
        number: msgspec.structs.replace(
            version,
            dist=msgspec.structs.replace(
                version.dist, tarball=f"{registry}{tarball_path(packument.name, number)}"
            ),
        )
        for number, version in packument.versions.items()
    }
    return _encoder.encode(_Document(packument.name, dict(packument.tags), versions))


def published_before(packument: Packument, moment: float) -> Packument:
    """Without the versions that came out after `moment`, or of which nobody knows when.

    A tag that pointed to one of those points to the highest version left that isn't above it,
    and is as stable; a tag without such a version is gone.
    """
    if not packument.published and packument.knows_ages_before(moment):
        return packument
    old = {
        number: version
        for number, version in packument.versions.items()
        if packument.published.get(number, moment + 1) <= moment
    }
    tags = {tag: _highest_up_to(number, old) for tag, number in packument.tags.items()}
    return replace(
        packument, versions=old, tags={tag: number for tag, number in tags.items() if number}
    )


def newest(packument: Packument, major: str) -> str | None:
    """The highest stable version with that major number; what `latest` names where it is empty."""
    if not major:
        return packument.tags.get("latest")
    fitting = [each for each in packument.versions if each.startswith(f"{major}.")]
    stable = [each for each in fitting if "-" not in each]
    return max(stable, key=_precedence, default=None)


def is_version(text: str) -> bool:
    """Whether `text` is one exact version."""
    return len(text) <= MAX_VERSION_CHARACTERS and VERSION.fullmatch(text) is not None


def tarball_path(name: str, version: str) -> str:
    """Where a version's tarball is, from the registry's root, by the convention that all keep."""
    return f"/{name}/-/{name.rpartition('/')[2]}-{quote(version)}.tgz"


def _highest_up_to(limit: str, versions: Mapping[str, Version]) -> str | None:
    if limit in versions:
        return limit
    top = _precedence(limit)
    below = [
        number
        for number in versions
        if _precedence(number) < top and ("-" in limit or "-" not in number)
    ]
    return max(below, key=_precedence, default=None)


def _precedence(version: str) -> tuple[tuple[int, ...], bool, list[tuple[bool, int, str]]]:
    """A key that sorts as https://semver.org/#spec-item-11 says."""
    numbers, _, prerelease = version.partition("+")[0].partition("-")
    identifiers = prerelease.split(".") if prerelease else []
    return (
        tuple(int(number) for number in numbers.split(".")),
        not prerelease,
        [
            (False, int(each), "") if each.isascii() and each.isdigit() else (True, 0, each)
            for each in identifiers
        ],
    )


def _seconds(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
