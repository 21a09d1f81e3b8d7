"""The schema's history: numbered scripts in `versions`, each run once, in order.

Append-only: a script that was released is never changed. Each defines `revision` (its number),
`down_revision` (the one before) and `upgrade(op)`. The operations are handed in because Alembic's
own `alembic.op` is one for the whole process, and two stores may be opened at once in one loop.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from forge_lsp.errors import StoreFailed

_FOLDER = Path(__file__).parent
_version_table = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def newest() -> str:
    """The number of the newest script."""
    return known()[-1]


def known() -> list[str]:
    """The numbers of all scripts, in order."""
    return sorted(path.name.partition("_")[0] for path in _FOLDER.glob("versions/[0-9]*.py"))


def current(connection: Connection) -> str | None:
    """The number of the last script that was run on the database; None on a fresh one."""
    if not inspect(connection).has_table(_version_table.name):
        return None
    return connection.scalar(select(_version_table.c.version_num))


def upgrade(connection: Connection, to: str) -> None:
    """Run the scripts that are missing up to the one numbered `to`.

    The caller holds the schema's lock and the transaction, so all of them take effect or none.
    Raises `StoreFailed` where the database was written by a version that knows more scripts.
    """
    found = current(connection)
    if found is not None and found not in known():
        raise StoreFailed(
            "The database was written by a newer version of forge-lsp.",
            remedy="Update forge-lsp, or name another database with FORGE_DATABASE_URL.",
        )
    if found == to:
        return
    _run_scripts(connection, to)


def _run_scripts(connection: Connection, to: str) -> None:
    # Alembic takes a fifth of a second to import, and most databases are up to date.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(_FOLDER)

    def missing(heads: Any, _context: MigrationContext) -> Iterable[RevisionStep]:
        downwards = list(scripts.iterate_revisions(to, heads, implicit_base=True))
        revisions = scripts.revision_map
        return [MigrationStep.upgrade_from_script(revisions, each) for each in downwards[::-1]]

    context = MigrationContext.configure(connection, opts={"fn": missing})
    context.run_migrations(op=Operations(context))
