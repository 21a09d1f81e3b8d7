"""Conversations of projects, and what each message changed."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"


def upgrade(op: Operations) -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "project", sa.String, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("summarised_upto", sa.BigInteger, nullable=False),
    )
    op.create_index("conversations_by_project", "conversations", ["project", "opened_at"])
    op.add_column("project_messages", sa.Column("conversation", sa.String))
    op.add_column("project_messages", sa.Column("changed", sa.Text))
    op.create_index(
        "project_messages_by_conversation", "project_messages", ["conversation", "created_at"]
    )
