"""What a new sandbox holds: Vite, React, TypeScript and Tailwind, at exact versions."""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

LOCK_FILE = "package-lock.json"


def template_files() -> dict[str, bytes]:
    """The source files by their path, without node_modules."""
    return dict(_files(resources.files(__name__) / "project", ""))


def digest(files: Mapping[str, bytes]) -> str:
    """Names this version of the template: the same files, the same digest."""
    whole = hashlib.sha256()
    for path, content in sorted(files.items()):
        whole.update(f"{path}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:16]


def locked_to(registry: str, lock: bytes) -> bytes:
    """The lock file with each package's tarball at `registry`.

    The one that is shipped names no registry. npm would ask for the whole history of every
    package then, only to find out where its tarball is.
    """
    document = json.loads(lock)
    for place, package in document["packages"].items():
        if place:
            name = place.rpartition("node_modules/")[2]
            short = name.rpartition("/")[2]
            package["resolved"] = f"{registry}/{name}/-/{short}-{package['version']}.tgz"
    return json.dumps(document, indent=2).encode()


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
