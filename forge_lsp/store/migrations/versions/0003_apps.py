"""Apps that are built over HTTP, with their files; skills of accounts' own."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"


def upgrade(op: Operations) -> None:
    op.create_table(
        "apps",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("chat_id", sa.String, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("template", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("preview_url", sa.Text),
        sa.Column("deploy_url", sa.Text),
    )
    op.create_index("apps_by_account", "apps", ["account", "created_at"])
    op.create_index("apps_by_chat", "apps", ["chat_id"], unique=True)
    op.create_table(
        "app_files",
        sa.Column(
            "app_id", sa.String, sa.ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("hash", sa.String(64), sa.ForeignKey("blobs.hash"), nullable=False),
    )
    op.create_table(
        "skills",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("alias", sa.String, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("system_prompt", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sample_args", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
    )
