"""How far a workspace has the fragments of its project, and who has which sandbox."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    op.create_table(
        "taken_fragments",
        sa.Column(
            "fragment_id",
            sa.String,
            sa.ForeignKey("fragments.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "sandbox_owners",
        sa.Column("sandbox_id", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
    )
    # What was edited so far came to the workspace at once, or was not meant to.
    op.execute(
        "INSERT INTO taken_fragments (fragment_id, version) SELECT id, version FROM fragments"
    )
