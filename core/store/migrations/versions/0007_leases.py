"""Leases: a queue in the order of its index, delays after expiry, conversions, ages, paces and watches."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = ("free_at", "ages_at", "replaces", "upgrade", "reminded_at")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("lease", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("lease", sa.Column("lock_delay_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    # Between two arrivals there is room to move a waiter (core.leases.terms.ARRIVAL_STEP).
    op.execute("UPDATE lease SET free_at = expires_at, arrival = arrival * 65536")
    op.execute("UPDATE shard SET arrival = arrival * 65536")
    op.drop_index("lease_expiry", table_name="lease")
    op.create_index("lease_expiry", "lease", ["state", "free_at"], unique=False)
    _partial("lease_holder", "holder", "state <> 'ended'")
    _partial("lease_age", "ages_at", "ages_at IS NOT NULL")
    names = _names(
        "SELECT n.resource, n.lease, n.leaf, l.rank_class, l.arrival, "
        "CASE WHEN l.state = 'waiting' THEN 1 ELSE 0 END AS waiting, "
        "CASE WHEN l.mode = 'shared' THEN 1 ELSE 0 END AS shared "
        "FROM lease_resource n JOIN lease l ON l.id = n.lease"
    )
    op.drop_index("lease_resource_lease", table_name="lease_resource")
    op.drop_table("lease_resource")
    table = op.create_table(
        "lease_resource",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rank_class", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("arrival", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lease", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "waiting", "rank_class", "arrival", "lease"),
        sqlite_with_rowid=False,
    )
    op.create_index("lease_resource_lease", "lease_resource", ["lease"], unique=False)
    _fill(table, names)
    op.create_table(
        "lease_pace",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.create_table(
        "lease_watch",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "resource"),
    )


def downgrade() -> None:
    op.drop_table("lease_watch")
    op.drop_table("lease_pace")
    names = _names("SELECT resource, lease, leaf FROM lease_resource")
    op.drop_index("lease_resource_lease", table_name="lease_resource")
    op.drop_table("lease_resource")
    table = op.create_table(
        "lease_resource",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("lease", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "lease"),
        sqlite_with_rowid=False,
    )
    op.create_index("lease_resource_lease", "lease_resource", ["lease"], unique=False)
    _fill(table, names)
    for name in ("lease_age", "lease_holder", "lease_expiry"):
        op.drop_index(name, table_name="lease")
    op.create_index("lease_expiry", "lease", ["state", "expires_at"], unique=False)
    for name in (*_COLUMNS, "lock_delay_us"):
        op.drop_column("lease", name)


def _partial(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "lease", [column], unique=False, sqlite_where=where, postgresql_where=where)


def _names(query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in op.get_bind().execute(sa.text(query)).mappings()]


def _fill(table: sa.Table, names: list[dict[str, Any]]) -> None:
    if names:
        op.bulk_insert(table, names)
