"""Runs that other processes cancel and follow; who runs them; how much of a journal is kept."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    op.add_column("runs", sa.Column("cancel_asked_at", sa.BigInteger))
    op.add_column("runs", sa.Column("heard_at", sa.BigInteger))
    op.add_column(
        "runs", sa.Column("journal", sa.String, nullable=False, server_default=sa.text("'whole'"))
    )
    op.add_column(
        "runs",
        sa.Column("journal_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        "UPDATE runs SET journal_bytes = coalesce("
        "(SELECT sum(length(payload)) FROM events WHERE events.run_id = runs.id), 0)"
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "runs_open", "runs", ["account", "owner"], sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("runs_by_end", "runs", ["ended_at"])
    op.create_table(
        "servers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("lock_key", sa.BigInteger, nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
    )
