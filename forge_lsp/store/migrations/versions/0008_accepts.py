"""When each file of a change set was accepted, and how many lines it proposed to change."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    op.add_column("file_changes", sa.Column("accepted_at", sa.BigInteger))
    for name in ("added", "removed"):
        counted = sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
        op.add_column("file_changes", counted)
    # When older ones were accepted is known no more, but not before they were proposed.
    op.execute(
        "UPDATE file_changes SET accepted_at = (SELECT created_at FROM change_sets"
        " WHERE change_sets.id = file_changes.change_set_id)"
        " WHERE coalesce(undo_to, '') <> coalesce(undo_from, '')"
    )
