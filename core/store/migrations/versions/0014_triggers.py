"""Triggers: where each stands in the log, and what came of what it asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trigger",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_by", sa.Text(), nullable=True),
        sa.Column("suppressed", sa.BigInteger(), nullable=False),
        sa.Column("suppressed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "trigger_firing",
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("approval", sa.BigInteger(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("trigger", "occasion"),
    )
    op.create_index("trigger_firing_at", "trigger_firing", ["trigger", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("trigger_firing_at", table_name="trigger_firing")
    op.drop_table("trigger_firing")
    op.drop_table("trigger")
