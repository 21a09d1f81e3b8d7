"""Change sets and the file contents that they hold, as rows."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.changes.summaries import ChangeSummary, FileSummary
from forge_lsp.paths import ProjectPath
from forge_lsp.store import blobs, schema

_CONTENTS = ("before", "after", "undo_to", "undo_from")
"""The fields of a `FileChange` that are contents, and the columns that hold their hashes."""
_PLAIN = ("state", "accepted_at", "added", "removed")
"""Those that are kept as they are."""

_sets = schema.change_sets.c
_files = schema.file_changes.c
_SUMMED_UP = (_sets.id, _sets.title, _sets.created_at, _files.path, *(_files[p] for p in _PLAIN))


def save_expected(
    connection: Connection, change_sets: Sequence[ChangeSet], expected: ChangeSet | None
) -> bool:
    """The same; False, and nothing is written, where the one `expected` is another by now."""
    if expected is not None:
        # Whoever else writes it waits from here on.
        mine = update(schema.change_sets).where(_sets.id == expected.id)
        connection.execute(mine.values(title=_sets.title))
        if one(connection, expected.id) != expected:
            return False
    save(connection, change_sets)
    return True


def save(connection: Connection, change_sets: Sequence[ChangeSet]) -> None:
    """Write each in place of what was kept under its id."""
    contents = blobs.Contents()
    rows: list[dict[str, Any]] = []
    for change_set in change_sets:
        for position, change in enumerate(change_set.files):
            row: dict[str, Any] = {
                "change_set_id": change_set.id,
                "position": position,
                "path": str(change.path),
            }
            row |= {name: getattr(change, name) for name in _PLAIN}
            row |= {name: contents.note(getattr(change, name)) for name in _CONTENTS}
            rows.append(row)
    contents.write(connection)
    ids = [change_set.id for change_set in change_sets]
    connection.execute(delete(schema.change_sets).where(_sets.id.in_(ids)))
    connection.execute(
        insert(schema.change_sets),
        [
            {
                "id": change_set.id,
                "project": change_set.project,
                "title": change_set.title,
                "created_at": change_set.created_at,
            }
            for change_set in change_sets
        ],
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


def accepted(
    connection: Connection, project: str, after: int, limit: int | None
) -> Sequence[ChangeSet]:
    """Those of the project's sets that have an accept after that time, the latest first."""
    at = func.max(_files.accepted_at)
    ids = (
        select(_sets.id)
        .join(schema.file_changes, _files.change_set_id == _sets.id)
        .where(_sets.project == project, _files.accepted_at > after)
        .group_by(_sets.id)
        .order_by(at.desc(), _sets.id.desc())
        .limit(limit)
    )
    found = _load(connection, ids)
    return sorted(found, key=lambda each: (each.accepted_at or 0, each.id), reverse=True)


def summaries(
    connection: Connection, project: str, limit: int, before: str | None
) -> Sequence[ChangeSummary]:
    """The project's newest sets first, without contents; with `before` those behind that one."""
    ids = select(_sets.id).where(_sets.project == project)
    if before is not None:
        named = select(_sets.created_at).where(_sets.id == before, _sets.project == project)
        at = named.scalar_subquery()
        is_older = or_(_sets.created_at < at, and_(_sets.created_at == at, _sets.id < before))
        ids = ids.where(is_older)
    chosen = ids.order_by(_sets.created_at.desc(), _sets.id.desc()).limit(limit).subquery()
    found = connection.execute(
        select(*_SUMMED_UP)
        .join(chosen, chosen.c.id == _sets.id)
        .outerjoin(schema.file_changes, _files.change_set_id == _sets.id)
        .order_by(_sets.created_at.desc(), _sets.id.desc(), _files.position)
    )
    return [
        _summary(list(of_one_set))
        for _, of_one_set in groupby(found.mappings().all(), key=lambda row: row["id"])
    ]


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
        before=contents[row["before"]],
        after=contents[row["after"]],
        undo_to=contents[row["undo_to"]],
        undo_from=contents[row["undo_from"]],
        **{name: row[name] for name in _PLAIN},
    )


def _summary(rows: Sequence[RowMapping]) -> ChangeSummary:
    first = rows[0]
    files = [
        FileSummary(ProjectPath.parse(row["path"]), **{name: row[name] for name in _PLAIN})
        for row in rows
        if row["path"] is not None
    ]
    return ChangeSummary(first["id"], first["title"], first["created_at"], tuple(files))
