"""Lists: what somebody asked for by its state, and what waits for somebody by its policy and action."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("approval_requested", "approval", ["requester", "state", "id"], unique=False)
    op.create_index("approval_policy", "approval", ["state", "policy", "id"], unique=False)
    op.create_index("approval_action", "approval", ["state", "action", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("approval_action", table_name="approval")
    op.drop_index("approval_policy", table_name="approval")
    op.drop_index("approval_requested", table_name="approval")
