"""Change sets and the file contents that they hold, as rows."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, insert, select

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.paths import ProjectPath
from forge_lsp.store import blobs, schema

_CONTENTS = ("before", "after", "undo_to", "undo_from")
"""The fields of a `FileChange` that are contents, and the columns that hold their hashes."""

_sets = schema.change_sets.c
_files = schema.file_changes.c


def save(connection: Connection, change_set: ChangeSet) -> None:
    """Write the set in place of what was kept under its id."""
    contents = blobs.Contents()
    rows: list[dict[str, Any]] = []
    for position, change in enumerate(change_set.files):
        row: dict[str, Any] = {
            "change_set_id": change_set.id,
            "position": position,
            "path": str(change.path),
            "state": change.state,
        }
        for name in _CONTENTS:
            row[name] = contents.note(getattr(change, name))
        rows.append(row)
    contents.write(connection)
    connection.execute(delete(schema.change_sets).where(_sets.id == change_set.id))
    connection.execute(
        insert(schema.change_sets),
        {
            "id": change_set.id,
            "project": change_set.project,
            "title": change_set.title,
            "created_at": change_set.created_at,
        },
    )
    if rows:
        connection.execute(insert(schema.file_changes), rows)


def one(connection: Connection, change_set_id: str) -> ChangeSet | None:
    """The set of this id."""
    found = _load(connection, select(_sets.id).where(_sets.id == change_set_id))
    return found[0] if found else None


def newest(connection: Connection, project: str, limit: int) -> Sequence[ChangeSet]:
    """The project's newest sets first."""
    ids = select(_sets.id).where(_sets.project == project)
    return _load(connection, ids.order_by(_sets.created_at.desc(), _sets.id.desc()).limit(limit))


def _load(connection: Connection, ids: Select[tuple[str]]) -> list[ChangeSet]:
    """The sets with these ids, the newest first.

    One statement reads a set with its files, so that none is seen half saved; contents are never
    changed once written, so they may be read after.
    """
    chosen = ids.subquery()
    found = connection.execute(
        select(schema.change_sets, schema.file_changes)
        .join(chosen, chosen.c.id == _sets.id)
        .outerjoin(schema.file_changes, _files.change_set_id == _sets.id)
        .order_by(_sets.created_at.desc(), _sets.id.desc(), _files.position)
    )
    rows = found.mappings().all()
    named: set[str | None] = {row[name] for row in rows for name in _CONTENTS}
    hashes = {digest for digest in named if digest is not None}
    contents: dict[str | None, bytes | None] = {None: None, **blobs.read(connection, hashes)}
    return [
        _change_set(list(of_one_set), contents)
        for _, of_one_set in groupby(rows, key=lambda row: row["id"])
    ]


def _change_set(
    rows: Sequence[RowMapping], contents: Mapping[str | None, bytes | None]
) -> ChangeSet:
    first = rows[0]
    return ChangeSet(
        id=first["id"],
        project=first["project"],
        title=first["title"],
        created_at=first["created_at"],
        # A set without files comes as one row without a path.
        files=tuple(_file_change(row, contents) for row in rows if row["path"] is not None),
    )


def _file_change(row: RowMapping, contents: Mapping[str | None, bytes | None]) -> FileChange:
    return FileChange(
        path=ProjectPath.parse(row["path"]),
        state=row["state"],
        before=contents[row["before"]],
        after=contents[row["after"]],
        undo_to=contents[row["undo_to"]],
        undo_from=contents[row["undo_from"]],
    )
