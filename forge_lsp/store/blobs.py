"""File contents, kept once by the hash of their bytes, as rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Connection, select

from forge_lsp.store import engine, schema

_BATCH = 500
"""Hashes that are asked for at once; databases bound the parameters of a statement."""

_blobs = schema.blobs.c


class Contents:
    """What is to be written, by hash."""

    def __init__(self) -> None:
        self._noted: dict[str, bytes] = {}

    def note(self, content: bytes | None) -> str | None:
        """The hash of `content`, which is one of those to be written."""
        if content is None:
            return None
        digest = sha256(content).hexdigest()
        self._noted[digest] = content
        return digest

    def write(self, connection: Connection) -> None:
        """Write those that aren't there; asking first saves sending the others."""
        there: set[str] = set()
        for hashes in _batches(list(self._noted)):
            there.update(connection.scalars(select(_blobs.hash).where(_blobs.hash.in_(hashes))))
        for digest in self._noted.keys() - there:
            # Another process may have written it meanwhile.
            connection.execute(
                engine.insert_new(connection, schema.blobs),
                {"hash": digest, "content": self._noted[digest]},
            )


def read(connection: Connection, hashes: Iterable[str]) -> Mapping[str, bytes]:
    """The contents with these hashes."""
    contents: dict[str, bytes] = {}
    for batch in _batches(list(hashes)):
        found = connection.execute(select(schema.blobs).where(_blobs.hash.in_(batch)))
        contents.update((row.hash, row.content) for row in found)
    return contents


def _batches(hashes: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(hashes), _BATCH):
        yield hashes[start : start + _BATCH]
