"""Projects, their messages and fragments, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    RowMapping,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from forge_lsp.errors import NotFound, VersionConflict
from forge_lsp.events import DesignSpec
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import (
    ChangedFile,
    FragmentRecord,
    FragmentVersion,
    Page,
    ProjectMessage,
    ProjectRecord,
)
from forge_lsp.store import blobs, engine, notices, schema

_projects = schema.projects.c
_messages = schema.project_messages.c
_fragments = schema.fragments.c
_versions = schema.fragment_versions.c
_files = schema.fragment_files.c


def save_project(connection: Connection, project: ProjectRecord) -> None:
    """Write the project, or bring it up to date."""
    row = asdict(project)
    connection.execute(engine.insert_new(connection, schema.projects), row)
    connection.execute(update(schema.projects).where(_projects.id == project.id), row)


def one_project(connection: Connection, project_id: str) -> ProjectRecord | None:
    """The project of this id."""
    query = select(schema.projects).where(_projects.id == project_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else ProjectRecord(**row)


def newest_projects(
    connection: Connection, account: str, limit: int, before: Page | None
) -> Sequence[ProjectRecord]:
    """The account's newest projects first."""
    rows = _newest(connection, schema.projects, _projects.account, account, limit, before)
    return [ProjectRecord(**row) for row in rows]


def add_message(connection: Connection, message: ProjectMessage) -> None:
    """Write a message, which is never changed."""
    row = asdict(message)
    row["changed"] = msgspec.json.encode(message.changed).decode() if message.changed else None
    connection.execute(insert(schema.project_messages), row)


def newest_messages(
    connection: Connection, project_id: str, limit: int, before: Page | None
) -> Sequence[ProjectMessage]:
    """The project's newest messages first."""
    rows = _newest(
        connection, schema.project_messages, _messages.project, project_id, limit, before
    )
    return [_message(row) for row in rows]


def conversation_messages(
    connection: Connection, conversation_id: str, limit: int | None
) -> Sequence[ProjectMessage]:
    """The last messages of the conversation, the oldest of them first; None: all."""
    query = (
        select(schema.project_messages)
        .where(_messages.conversation == conversation_id)
        .order_by(_messages.created_at.desc(), _messages.id.desc())
        .limit(limit)
    )
    return [_message(row) for row in reversed(connection.execute(query).mappings().all())]


def add_fragment(
    connection: Connection,
    fragment: FragmentRecord,
    files: Mapping[ProjectPath, bytes],
    reason: str,
) -> None:
    """Write the fragment and its first version."""
    spec = fragment.design_spec
    encoded = None if spec is None else msgspec.json.encode(spec).decode()
    row = {**asdict(replace(fragment, design_spec=None)), "design_spec": encoded}
    connection.execute(insert(schema.fragments), row)
    _add_version(connection, fragment, files, reason)
    notices.send(connection, notices.FRAGMENTS, [fragment.project])


def one_fragment(connection: Connection, fragment_id: str) -> FragmentRecord | None:
    """The fragment of this id, at its newest version."""
    query = select(schema.fragments).where(_fragments.id == fragment_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _fragment(row)


def newest_fragments(
    connection: Connection, project_id: str, limit: int, before: Page | None
) -> Sequence[FragmentRecord]:
    """The project's newest fragments first."""
    rows = _newest(connection, schema.fragments, _fragments.project, project_id, limit, before)
    return [_fragment(row) for row in rows]


def files(
    connection: Connection, fragment_id: str, version: int | None
) -> Mapping[ProjectPath, bytes]:
    """The files of a version, of the newest where none is named, sorted by path."""
    is_meant = _files.fragment_id == fragment_id
    if version is not None:
        is_meant = and_(is_meant, _files.version <= version)
    last = (
        select(_files.path, func.max(_files.version).label("version"))
        .where(is_meant)
        .group_by(_files.path)
        .subquery()
    )
    query = select(_files.path, _files.hash).join(
        last,
        and_(
            _files.fragment_id == fragment_id,
            _files.path == last.c.path,
            _files.version == last.c.version,
        ),
    )
    listed = {row.path: row.hash for row in connection.execute(query) if row.hash is not None}
    contents = blobs.read(connection, set(listed.values()))
    return {ProjectPath.parse(path): contents[listed[path]] for path in sorted(listed)}


def versions(connection: Connection, fragment_id: str) -> Sequence[FragmentVersion]:
    """The fragment's versions, the newest first."""
    changed: dict[int, list[str]] = {}
    listing = select(_files.version, _files.path).where(_files.fragment_id == fragment_id)
    for row in connection.execute(listing):
        changed.setdefault(row.version, []).append(row.path)
    query = select(schema.fragment_versions).where(_versions.fragment_id == fragment_id)
    return [
        FragmentVersion(
            row.version, row.created_at, row.reason, tuple(sorted(changed.get(row.version, ())))
        )
        for row in connection.execute(query.order_by(_versions.version.desc()))
    ]


def merge(
    connection: Connection,
    fragment_id: str,
    contents: Mapping[ProjectPath, bytes | None],
    *,
    at: int,
    reason: str,
    expected: int | None,
) -> FragmentRecord:
    """Make the next version; raises `NotFound` or `VersionConflict`."""
    # The update comes first: it keeps everybody else from making the same version meanwhile.
    advance = (
        update(schema.fragments)
        .where(_fragments.id == fragment_id)
        .values(version=_fragments.version + 1, updated_at=at)
    )
    if connection.execute(advance).rowcount == 0:
        raise NotFound(f"There is no fragment {fragment_id}.")
    fragment = one_fragment(connection, fragment_id)
    assert fragment is not None
    if expected is not None and fragment.version != expected + 1:
        raise VersionConflict(f"The fragment {fragment_id} has changed since it was read.")
    _add_version(connection, fragment, contents, reason)
    notices.send(connection, notices.FRAGMENTS, [fragment.project])
    return fragment


def tell_sandbox(
    connection: Connection, fragment_id: str, sandbox_id: str | None, sandbox_url: str | None
) -> None:
    """The fragment is shown there now."""
    telling = update(schema.fragments).where(_fragments.id == fragment_id)
    connection.execute(telling.values(sandbox_id=sandbox_id, sandbox_url=sandbox_url))


def _add_version(
    connection: Connection,
    fragment: FragmentRecord,
    contents: Mapping[ProjectPath, bytes | None],
    reason: str,
) -> None:
    place = {"fragment_id": fragment.id, "version": fragment.version}
    connection.execute(
        insert(schema.fragment_versions),
        {**place, "created_at": fragment.updated_at, "reason": reason},
    )
    noted = blobs.Contents()
    rows: list[dict[str, Any]] = [
        {**place, "path": str(path), "hash": noted.note(content)}
        for path, content in contents.items()
    ]
    noted.write(connection)
    if rows:
        connection.execute(insert(schema.fragment_files), rows)


def _newest(  # noqa: PLR0917 - What is listed, of whom, and which page of it.
    connection: Connection,
    table: Table,
    of: Column[Any],
    whom: str,
    limit: int,
    before: Page | None,
) -> Sequence[RowMapping]:
    columns = table.c
    query = select(table).where(of == whom)
    if before is not None:
        at, last_id = before
        is_older = or_(
            columns.created_at < at, and_(columns.created_at == at, columns.id < last_id)
        )
        query = query.where(is_older)
    query = query.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
    return connection.execute(query).mappings().all()


def _message(row: RowMapping) -> ProjectMessage:
    encoded = row["changed"]
    changed = msgspec.json.decode(encoded, type=tuple[ChangedFile, ...]) if encoded else ()
    fields: dict[str, Any] = {**row, "changed": changed}
    return ProjectMessage(**fields)


def _fragment(row: RowMapping) -> FragmentRecord:
    encoded = row["design_spec"]
    spec = None if encoded is None else msgspec.json.decode(encoded, type=DesignSpec)
    fields: dict[str, Any] = {**row, "design_spec": spec}
    return FragmentRecord(**fields)
