"""Runs and their journals, change sets and their contents, conversations."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    _create_journals(op)
    _create_change_sets(op)
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("conversation", sa.Text, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("messages_by_conversation", "messages", ["conversation", "id"])


def _create_journals(op: Operations) -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("outcome", sa.String),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", sa.Double),
        sa.Column("account", sa.String, nullable=False),
    )
    op.create_index("runs_by_time", "runs", ["started_at"])
    op.create_index("runs_by_project", "runs", ["project", "started_at"])
    op.create_table(
        "events",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )


def _create_change_sets(op: Operations) -> None:
    op.create_table(
        "blobs",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "change_sets",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("change_sets_by_project", "change_sets", ["project", "created_at"])
    op.create_table(
        "file_changes",
        sa.Column(
            "change_set_id",
            sa.String,
            sa.ForeignKey("change_sets.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("before", sa.String(64), sa.ForeignKey("blobs.hash")),
        sa.Column("after", sa.String(64), sa.ForeignKey("blobs.hash")),
        sa.Column("undo_to", sa.String(64), sa.ForeignKey("blobs.hash")),
        sa.Column("undo_from", sa.String(64), sa.ForeignKey("blobs.hash")),
    )
