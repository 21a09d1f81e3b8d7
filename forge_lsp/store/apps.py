"""Apps, their files, and skills of accounts' own, as rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, insert, or_, select, update

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import AppRecord, SkillRecord
from forge_lsp.store import blobs, engine, schema

_apps = schema.apps.c
_files = schema.app_files.c
_skills = schema.skills.c


def save(connection: Connection, app: AppRecord) -> None:
    """Write the app, or bring it up to date."""
    row = asdict(app)
    connection.execute(engine.insert_new(connection, schema.apps), row)
    connection.execute(update(schema.apps).where(_apps.id == app.id), row)


def one(connection: Connection, app_id: str) -> AppRecord | None:
    """The app of this id."""
    return _one(connection, _apps.id == app_id)


def of_chat(connection: Connection, chat_id: str) -> AppRecord | None:
    """The app that is changed in this conversation."""
    return _one(connection, _apps.chat_id == chat_id)


def newest(
    connection: Connection, account: str, limit: int, before: tuple[int, str] | None
) -> Sequence[AppRecord]:
    """The account's newest apps first; with `before` those behind that one."""
    query = select(schema.apps).where(_apps.account == account)
    if before is not None:
        at, app_id = before
        is_older = or_(_apps.created_at < at, and_(_apps.created_at == at, _apps.id < app_id))
        query = query.where(is_older)
    query = query.order_by(_apps.created_at.desc(), _apps.id.desc()).limit(limit)
    return [AppRecord(**row) for row in connection.execute(query).mappings()]


def remove(connection: Connection, app_id: str) -> None:
    """Remove the app and its list of files."""
    connection.execute(delete(schema.apps).where(_apps.id == app_id))


def files(connection: Connection, app_id: str) -> Mapping[ProjectPath, bytes]:
    """The app's files, sorted by path."""
    query = select(_files.path, _files.hash).where(_files.app_id == app_id)
    listed = {row.path: row.hash for row in connection.execute(query)}
    contents = blobs.read(connection, set(listed.values()))
    return {ProjectPath.parse(path): contents[listed[path]] for path in sorted(listed)}


def put_files(
    connection: Connection, app_id: str, contents: Mapping[ProjectPath, bytes | None]
) -> None:
    """Write these files, and take away those that are None."""
    noted = blobs.Contents()
    rows: list[dict[str, Any]] = [
        {"app_id": app_id, "path": str(path), "hash": noted.note(content)}
        for path, content in contents.items()
        if content is not None
    ]
    noted.write(connection)
    for path in contents:
        connection.execute(
            delete(schema.app_files).where(_files.app_id == app_id, _files.path == str(path))
        )
    if rows:
        connection.execute(insert(schema.app_files), rows)


def save_skill(connection: Connection, skill: SkillRecord) -> None:
    """Write the skill in place of the account's one with that alias."""
    connection.execute(
        delete(schema.skills).where(_skills.account == skill.account, _skills.alias == skill.alias)
    )
    connection.execute(insert(schema.skills), asdict(skill) | {"tags": json.dumps(skill.tags)})


def one_skill(connection: Connection, account: str, alias: str) -> SkillRecord | None:
    """The account's skill of this alias."""
    query = select(schema.skills).where(_skills.account == account, _skills.alias == alias)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _skill(row)


def all_skills(connection: Connection, account: str) -> Sequence[SkillRecord]:
    """The account's skills, by alias."""
    query = select(schema.skills).where(_skills.account == account).order_by(_skills.alias)
    return [_skill(row) for row in connection.execute(query).mappings()]


def _one(connection: Connection, condition: Any) -> AppRecord | None:
    row = connection.execute(select(schema.apps).where(condition)).mappings().one_or_none()
    return None if row is None else AppRecord(**row)


def _skill(row: RowMapping) -> SkillRecord:
    fields: dict[str, Any] = {**row, "tags": tuple(json.loads(row["tags"]))}
    return SkillRecord(**fields)
