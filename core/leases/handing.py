"""Direct handoff: what became free goes, in the same transaction, to those who waited for it.

A waiter is granted when no lease and no live waiter of better rank conflicts with it, so nobody is overtaken and
nobody holds while it waits. A dead waiter that would be next is removed, and what it kept free is handed out too.
"""

from __future__ import annotations

from core.leases.granting import grant_waiter
from core.leases.looking import lapsed_for, waiters
from core.leases.resource import footprint, overlap
from core.leases.vacating import expire, reclaim
from core.store.encoding import load
from core.store.rows import Row
from core.store.tx import Tx


def hand_out(tx: Tx, resources: list[str]) -> None:
    """Everybody who waited for something that conflicts with `resources` and can have it now, has it."""
    region = footprint(resources)
    while grown := _walk(tx, region):
        region |= {name: max(leaf, region.get(name, 0)) for name, leaf in grown.items()}


def hand_to(tx: Tx, waiter: Row) -> Row | None:
    """The live waiter is held if nobody is in its way, and the others got their turn; None when somebody is."""
    lapsed = lapsed_for(tx, waiter)
    if lapsed is None:
        return None
    freed = _reclaim_all(tx, lapsed)
    granted = grant_waiter(tx, waiter)
    if freed:
        hand_out(tx, freed)
    return granted


def _reclaim_all(tx: Tx, lapsed: list[Row]) -> list[str]:
    """The lapsed leases have ended; their resources."""
    freed: list[str] = []
    for row in lapsed:
        reclaim(tx, row)
        freed += load(row["resources"])
    return freed


def _walk(tx: Tx, region: dict[str, int]) -> dict[str, int]:
    """The waiters of `region` had their turn in the order of rank, until one freed more: that footprint, or nothing."""
    leaves = [name for name, leaf in region.items() if leaf]
    ahead: list[tuple[list[str], bool]] = []
    rank = (-1, -1)
    while rows := waiters(tx, region, *rank):
        for row in rows:
            rank = (row["rank_class"], row["arrival"])
            wanted: list[str] = load(row["resources"])
            alone = row["mode"] == "exclusive"
            alive = row["expires_at"] > tx.now_us
            waits = any((alone or other_alone) and overlap(wanted, other) for other, other_alone in ahead)
            lapsed = None if waits else lapsed_for(tx, row)
            if lapsed is not None and not alive:
                expire(tx, row)
                return footprint(wanted)
            if lapsed is not None:
                freed = _reclaim_all(tx, lapsed)
                grant_waiter(tx, row)
                if freed:
                    return footprint(freed)
            if alive:
                ahead.append((wanted, alone))
                if alone and _covers(wanted, leaves):
                    return {}
    return {}


def _covers(wanted: list[str], leaves: list[str]) -> bool:
    """Whether whoever conflicts with any of `leaves` also conflicts with `wanted`."""
    return all(any(leaf == name or leaf.startswith(f"{name}/") for name in wanted) for leaf in leaves)
