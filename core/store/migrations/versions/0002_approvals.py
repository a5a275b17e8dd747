"""Approvals, whole: delegations, freezes, overrides, reminders, rollbacks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTERS = ("delegation", "freeze")
"""What `next_id` counts from here on: sequences on PostgreSQL, rows of `counter` on SQLite."""


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delegator", sa.Text(), nullable=False),
        sa.Column("delegate", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("assurance", sa.Integer(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("delegation_delegator", "delegation", ["delegator", "ended_at"], unique=False)
    op.create_index("delegation_open", "delegation", ["ended_at", "until"], unique=False)
    op.create_table(
        "freeze",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("freeze_ends", "freeze", ["ended_at", "ends_at"], unique=False)
    op.add_column("approval", sa.Column("rollback_preview", sa.Text(), nullable=True))
    op.add_column("approval", sa.Column("override_by", sa.Text(), nullable=True))
    op.add_column("approval", sa.Column("override_why", sa.Text(), nullable=True))
    op.add_column("approval", sa.Column("override_at", sa.BigInteger(), nullable=True))
    op.add_column("approval", sa.Column("remind_at", sa.BigInteger(), nullable=True))
    op.add_column("approval", sa.Column("reminders", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("approval", sa.Column("escalate_at", sa.BigInteger(), nullable=True))
    op.add_column("approval", sa.Column("escalations", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index("approval_apply_clock", "approval", ["state", "apply_expires_at"], unique=False)
    op.create_index(
        "approval_escalate",
        "approval",
        ["escalate_at"],
        unique=False,
        sqlite_where=sa.text("escalate_at IS NOT NULL"),
        postgresql_where=sa.text("escalate_at IS NOT NULL"),
    )
    op.create_index(
        "approval_remind",
        "approval",
        ["remind_at"],
        unique=False,
        sqlite_where=sa.text("remind_at IS NOT NULL"),
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.create_index("approval_review_clock", "approval", ["state", "review_expires_at"], unique=False)
    op.add_column("decision", sa.Column("evidence", sa.Text(), nullable=True))
    op.add_column("decision", sa.Column("delegation", sa.BigInteger(), nullable=True))
    op.add_column("decision", sa.Column("voice", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.execute('UPDATE decision SET voice = coalesce(on_behalf_of, "by")')
    _voices("approval", "revision", "by", "voice")
    op.add_column("run", sa.Column("stash", sa.LargeBinary(), nullable=True))
    op.add_column("run", sa.Column("asked_by", sa.Text(), nullable=True))
    op.create_table(
        "rollback_voice",
        sa.Column("approval", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("assurance", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("approval", "person"),
    )
    op.add_column("approval", sa.Column("rollback_asked_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "approval_rollback",
        "approval",
        ["rollback_asked_at"],
        unique=False,
        sqlite_where=sa.text("rollback_asked_at IS NOT NULL"),
        postgresql_where=sa.text("rollback_asked_at IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for kind in COUNTERS:
            op.execute(f"CREATE SEQUENCE counter_{kind}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for kind in COUNTERS:
            op.execute(f"DROP SEQUENCE counter_{kind}")
    op.drop_index(
        "approval_rollback",
        table_name="approval",
        sqlite_where=sa.text("rollback_asked_at IS NOT NULL"),
        postgresql_where=sa.text("rollback_asked_at IS NOT NULL"),
    )
    op.drop_column("approval", "rollback_asked_at")
    op.drop_table("rollback_voice")
    op.drop_column("run", "asked_by")
    op.drop_column("run", "stash")
    _voices("approval", "revision", "by")
    op.drop_column("decision", "voice")
    op.drop_column("decision", "delegation")
    op.drop_column("decision", "evidence")
    op.drop_index("approval_review_clock", table_name="approval")
    op.drop_index(
        "approval_remind",
        table_name="approval",
        sqlite_where=sa.text("remind_at IS NOT NULL"),
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.drop_index(
        "approval_escalate",
        table_name="approval",
        sqlite_where=sa.text("escalate_at IS NOT NULL"),
        postgresql_where=sa.text("escalate_at IS NOT NULL"),
    )
    op.drop_index("approval_apply_clock", table_name="approval")
    op.drop_column("approval", "escalations")
    op.drop_column("approval", "escalate_at")
    op.drop_column("approval", "reminders")
    op.drop_column("approval", "remind_at")
    op.drop_column("approval", "override_at")
    op.drop_column("approval", "override_why")
    op.drop_column("approval", "override_by")
    op.drop_column("approval", "rollback_preview")
    op.drop_index("freeze_ends", table_name="freeze")
    op.drop_table("freeze")
    op.drop_index("delegation_open", table_name="delegation")
    op.drop_index("delegation_delegator", table_name="delegation")
    op.drop_table("delegation")


def _voices(*columns: str) -> None:
    """`decision_once` spans `columns`; SQLite cannot change a constraint in place, so the table is made anew there."""
    with op.batch_alter_table("decision") as table:
        table.drop_constraint("decision_once", type_="unique")
        table.create_unique_constraint("decision_once", list(columns))
