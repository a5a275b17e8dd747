"""The spine: log, approvals, runs, leases, deliveries, sign-in."""

from __future__ import annotations

from alembic import op

from core.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTERS = ("approval", "decision", "run", "lease", "ticket", "delivery")


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        for kind in COUNTERS:
            op.execute(f"CREATE SEQUENCE counter_{kind}")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for kind in COUNTERS:
            op.execute(f"DROP SEQUENCE counter_{kind}")
    metadata.drop_all(connection)
