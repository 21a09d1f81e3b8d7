"""Projects, their messages, and fragments with their versions."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
    )
    op.create_index("projects_by_account", "projects", ["account", "created_at"])
    op.create_table(
        "project_messages",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "project", sa.String, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("image_url", sa.Text),
        sa.Column("run_id", sa.String),
        sa.Column("fragment_id", sa.String),
    )
    op.create_index("project_messages_by_time", "project_messages", ["project", "created_at"])
    op.create_table(
        "fragments",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("message_id", sa.String, nullable=False),
        sa.Column(
            "project", sa.String, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("sandbox_id", sa.String),
        sa.Column("sandbox_url", sa.Text),
        sa.Column("image_url", sa.Text),
        sa.Column("design_spec", sa.Text),
    )
    op.create_index("fragments_by_project", "fragments", ["project", "created_at"])
    op.create_table(
        "fragment_versions",
        sa.Column(
            "fragment_id",
            sa.String,
            sa.ForeignKey("fragments.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "fragment_files",
        sa.Column("fragment_id", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("hash", sa.String(64), sa.ForeignKey("blobs.hash")),
        sa.ForeignKeyConstraint(
            ["fragment_id", "version"],
            ["fragment_versions.fragment_id", "fragment_versions.version"],
            ondelete="CASCADE",
        ),
    )
