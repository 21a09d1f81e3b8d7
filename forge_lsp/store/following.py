"""What those ask for who follow fragments: what changed, and how far others are; as rows."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.following import FragmentStep
from forge_lsp.store import blobs, engine, notices, schema

_fragments = schema.fragments.c
_versions = schema.fragment_versions.c
_files = schema.fragment_files.c
_taken = schema.taken_fragments.c
_owners = schema.sandbox_owners.c


def steps(connection: Connection, fragment_id: str, since: int) -> Sequence[FragmentStep]:
    """Each file in each version after `since`, and before them the same files as of `since`."""
    is_ours = _files.fragment_id == fragment_id
    touched = select(_files.path).where(is_ours, _files.version > since)
    last = (
        select(_files.path, func.max(_files.version).label("version"))
        .where(is_ours, _files.version <= since, _files.path.in_(touched))
        .group_by(_files.path)
        .subquery()
    )
    query = (
        select(_files.path, _files.version, _files.hash, _versions.reason)
        .join(
            schema.fragment_versions,
            and_(
                _versions.fragment_id == _files.fragment_id,
                _versions.version == _files.version,
            ),
        )
        .outerjoin(last, last.c.path == _files.path)
        .where(is_ours, or_(_files.version > since, _files.version == last.c.version))
        .order_by(_files.version, _files.path)
    )
    rows = connection.execute(query).all()
    contents = blobs.read(connection, {row.hash for row in rows if row.hash is not None})
    return [
        FragmentStep(
            row.version,
            row.reason,
            ProjectPath.parse(row.path),
            None if row.hash is None else contents[row.hash],
        )
        for row in rows
    ]


def taken(connection: Connection, project: str) -> Mapping[str, int]:
    """By fragment, up to which version the workspace has it."""
    query = (
        select(_taken.fragment_id, _taken.version)
        .join(schema.fragments, _fragments.id == _taken.fragment_id)
        .where(_fragments.project == project)
    )
    return {row.fragment_id: row.version for row in connection.execute(query)}


def note_taken(connection: Connection, fragment_id: str, version: int) -> None:
    """The workspace has it up to that version; it never has less of it than before."""
    row = {"fragment_id": fragment_id, "version": version}
    connection.execute(engine.insert_new(connection, schema.taken_fragments), row)
    is_behind = and_(_taken.fragment_id == fragment_id, _taken.version < version)
    connection.execute(update(schema.taken_fragments).where(is_behind).values(version=version))


def sandbox_owner(connection: Connection, sandbox_id: str) -> str | None:
    """Who has that sandbox, as far as anybody has said so."""
    return connection.scalar(select(_owners.owner).where(_owners.sandbox_id == sandbox_id))


def own_sandbox(connection: Connection, sandbox_id: str, owner: str) -> None:
    """That one has it now."""
    row = {"sandbox_id": sandbox_id, "owner": owner}
    connection.execute(engine.insert_new(connection, schema.sandbox_owners), row)
    claiming = update(schema.sandbox_owners).where(_owners.sandbox_id == sandbox_id)
    connection.execute(claiming.values(owner=owner))


def disown_sandboxes(connection: Connection, sandbox_ids: Sequence[str]) -> None:
    """Nobody has them any more."""
    if sandbox_ids:
        gone = delete(schema.sandbox_owners).where(_owners.sandbox_id.in_(sandbox_ids))
        connection.execute(gone)


def move_sandbox(
    connection: Connection, project: str, before: str | None, after: str, url: str
) -> None:
    """The project's fragments that were shown in one sandbox are shown in another."""
    is_meant = and_(_fragments.project == project, _fragments.sandbox_id == before)
    moving = update(schema.fragments).where(is_meant)
    connection.execute(moving.values(sandbox_id=after, sandbox_url=url))
    notices.send(connection, notices.FRAGMENTS, [project])
