"""Leases change hands with fewer writes: the log by rowid, one index of the living, one number for lease, place and arrival."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_LIVING = "state <> 'ended'"


def upgrade() -> None:
    _rebuild_log("INTEGER")
    op.drop_index("lease_principal", table_name="lease")
    op.drop_index("lease_holder", table_name="lease")
    _index("lease_holder", _LIVING, "principal", "holder", "state", "expires_at")
    op.drop_index("lease_ticket", table_name="lease")
    _index("lease_ticket", "ticket <> id", "ticket", unique=True)
    # A lease's arrival is its number from now on: the next one is above every arrival and every number given so far.
    op.add_column("shard", sa.Column("last_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute("UPDATE shard SET last_number = arrival / 65536 + 1 + coalesce((SELECT max(lease.id) FROM lease), 0)")
    op.drop_column("shard", "arrival")
    if _sqlite():
        op.execute("DELETE FROM counter WHERE kind IN ('lease', 'ticket')")
    else:
        op.execute("DROP SEQUENCE counter_lease, counter_ticket")


def downgrade() -> None:
    op.add_column("shard", sa.Column("arrival", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute("UPDATE shard SET arrival = last_number * 65536")
    if _sqlite():
        op.execute("INSERT INTO counter (kind, value) SELECT 'lease', last_number FROM shard")
        op.execute("INSERT INTO counter (kind, value) SELECT 'ticket', last_number FROM shard")
    else:
        for kind in ("lease", "ticket"):
            op.execute(f"CREATE SEQUENCE counter_{kind}")
            op.execute(sa.text("SELECT setval(:kind, last_number + 1) FROM shard").bindparams(kind=f"counter_{kind}"))
    op.drop_column("shard", "last_number")
    op.create_index("lease_principal", "lease", ["principal", "state", "expires_at"], unique=False)
    op.drop_index("lease_holder", table_name="lease")
    _index("lease_holder", _LIVING, "holder")
    op.drop_index("lease_ticket", table_name="lease")
    _index("lease_ticket", "ticket IS NOT NULL", "ticket", unique=True)
    _rebuild_log("BIGINT")


def _index(name: str, condition: str, *columns: str, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "lease", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _rebuild_log(seq: str) -> None:
    """On SQLite an INTEGER key is the rowid itself, and a BIGINT one is an index beside the table."""
    if not _sqlite():
        return
    op.execute("ALTER TABLE log RENAME TO log_before")
    op.execute(
        f"CREATE TABLE log (seq {seq} NOT NULL, entry BLOB NOT NULL, leaf_hash BLOB NOT NULL, ts BIGINT NOT NULL, "
        "event TEXT NOT NULL, actor TEXT, subject TEXT, channel TEXT, PRIMARY KEY (seq))"
    )
    op.execute("INSERT INTO log SELECT seq, entry, leaf_hash, ts, event, actor, subject, channel FROM log_before")
    op.execute("DROP TABLE log_before")
    op.create_index("log_subject", "log", ["subject", "seq"], unique=False)
