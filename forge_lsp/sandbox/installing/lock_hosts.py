"""Yarn 1's lock file names the host of each package, and Yarn asks that one, not the registry that
it is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RESOLVED = re.compile(
    rb'^(?P<before>  resolved ")(?P<host>https?://[^/"\s]+)(?P<path>/)', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A lock file whose every entry names one registry, and what it named before."""

    content: bytes
    registry: bytes
    hosts: Mapping[bytes, bytes]
    """By the rest of the line."""

    def restored(self, content: bytes) -> bytes:
        """`content`, which Yarn made of ours, with the hosts as they were; new entries get the
        likeliest."""
        usual = next(iter(self.hosts.values()), self.registry)

        def host(line: re.Match[bytes]) -> bytes:
            if line["host"] != self.registry:
                return line[0]
            named = self.hosts.get(_rest(line), usual)
            return line["before"] + named + line["path"]

        return _RESOLVED.sub(host, content)


def pin(lock: bytes, registry: str) -> Pinned:
    """The lock file with `registry`, a URL without a path, in the place of every host."""
    hosts = {_rest(line): line["host"] for line in _RESOLVED.finditer(lock)}
    named = registry.encode()
    content = _RESOLVED.sub(rb"\g<before>" + named + rb"\g<path>", lock)
    return Pinned(content, named, hosts)


def _rest(line: re.Match[bytes]) -> bytes:
    return line.string[line.end() :].partition(b"\n")[0]
