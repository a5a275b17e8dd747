"""Time: since when a request is under review, what asks for it again, and which reminder a copy carried last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("approval", sa.Column("reviewing_at", sa.BigInteger(), nullable=True))
    op.add_column("approval", sa.Column("retried_as", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("reminded", sa.Text(), nullable=True))
    op.execute("UPDATE approval SET reviewing_at = submitted_at WHERE state IN ('REVIEWING', 'APPROVED')")
    op.execute(
        "UPDATE approval SET retried_as = (SELECT max(again.id) FROM approval AS again "
        "WHERE again.retry_of = approval.id) "
        "WHERE id IN (SELECT retry_of FROM approval WHERE retry_of IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_column("delivery", "reminded")
    op.drop_column("approval", "retried_as")
    op.drop_column("approval", "reviewing_at")
