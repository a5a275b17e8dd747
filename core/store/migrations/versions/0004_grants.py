"""Grants, and what ran by break-glass and is owed a review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "grant",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("approval", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grant_terms", "grant", ["terms", "ended_at"], unique=False)
    op.create_index("grant_approval", "grant", ["approval"], unique=False)
    op.create_index("grant_open", "grant", ["ended_at", "until"], unique=False)
    op.create_table(
        "grant_use",
        sa.Column("grant", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("approval", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grant", "number"),
    )
    op.create_table(
        "owed_review",
        sa.Column("approval", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("nag_at", sa.BigInteger(), nullable=True),
        sa.Column("nags", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reviewed_by", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("assurance", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("approval"),
    )
    op.create_index("owed_review_nag", "owed_review", ["nag_at"], unique=False)
    op.add_column("approval", sa.Column("by_grant", sa.BigInteger(), nullable=True))
    op.add_column("approval", sa.Column("glass", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("decision", sa.Column("grant_seconds", sa.BigInteger(), nullable=True))
    op.add_column("decision", sa.Column("grant_times", sa.Integer(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE counter_grant")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE counter_grant")
    op.drop_column("decision", "grant_times")
    op.drop_column("decision", "grant_seconds")
    op.drop_column("approval", "glass")
    op.drop_column("approval", "by_grant")
    op.drop_index("owed_review_nag", table_name="owed_review")
    op.drop_table("owed_review")
    op.drop_table("grant_use")
    op.drop_index("grant_open", table_name="grant")
    op.drop_index("grant_approval", table_name="grant")
    op.drop_index("grant_terms", table_name="grant")
    op.drop_table("grant")
