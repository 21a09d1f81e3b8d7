"""What runs left in a workspace, as the change sets that were accepted hold it."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from forge_lsp.paths import ProjectPath
from forge_lsp.store import blobs, schema

MOST_CHANGES = 2_000
"""Accepted changes of files that are looked at, the newest first."""

_sets = schema.change_sets.c
_files = schema.file_changes.c
_runs = schema.runs.c


def left_files(
    connection: Connection, project: str, kinds: Collection[str]
) -> Mapping[ProjectPath, bytes | None]:
    """Each file as it stood when the last change of it by a run of these kinds was accepted.

    What was undone since doesn't count.
    """
    query = (
        select(_files.path, _files.undo_from)
        .join(schema.change_sets, _files.change_set_id == _sets.id)
        .join(schema.runs, _runs.id == _sets.id)
        .where(_sets.project == project, _runs.kind.in_(kinds))
        .where(_files.undo_to.is_distinct_from(_files.undo_from))
        .order_by(_sets.created_at.desc(), _sets.id.desc())
        .limit(MOST_CHANGES)
    )
    hashes: dict[str, str | None] = {}
    for row in connection.execute(query):
        hashes.setdefault(row.path, row.undo_from)
    contents = blobs.read(connection, {each for each in hashes.values() if each is not None})
    return {
        ProjectPath.parse(path): None if digest is None else contents[digest]
        for path, digest in sorted(hashes.items())
    }
