"""Proving, inside the transaction that relies on it, that a lease is still held."""

from __future__ import annotations

from core.ids import show
from core.leases.finding import lease_row, why_lost
from core.store.rows import Reader


def prove_held(reader: Reader, number: int, token: int) -> None:
    """The lease is held with this token, by the store's time in this transaction. Raises Conflict, NotFound."""
    row = lease_row(reader, show("L", number))
    if row["state"] != "held" or row["token"] != token or row["expires_at"] <= reader.now_us:
        raise why_lost(row, reader.now_us)
