"""Direct handoff: what became free goes, in the same transaction, to those who waited for it.

A waiter is granted when no lease and no live waiter of better rank conflicts with it, so nobody is overtaken and
nobody holds while it waits. A dead waiter that would be next is removed, and what it kept free is handed out too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.leases import pace
from core.leases.granting import grant_waiter, replaced_by
from core.leases.looking import view_of, waiters
from core.leases.resource import footprint, names_in, overlap
from core.leases.vacating import expire, reclaim
from core.store.rows import Row
from core.store.tx import Tx

_MORE = 8
"""How many waiters one look fetches after the first."""


def hand_on(tx: Tx, ended: Row) -> None:
    """What the ended lease or place had is handed out; how long a lease was held counts where somebody waited for it."""
    if hand_out(tx, names_in(ended["resources"])) and ended["token"] is not None:
        pace.learn(tx, ended)


def hand_out(tx: Tx, resources: Iterable[str]) -> int:
    """Everybody who waited for something that conflicts with `resources` and can have it now, has it; how many."""
    walk = _Walk(region=footprint(resources))
    while grown := walk.go(tx):
        walk.region |= {name: max(leaf, walk.region.get(name, 0)) for name, leaf in grown.items()}
    return walk.granted


def hand_to(tx: Tx, waiter: Row) -> Row | None:
    """The live waiter is held if nobody is in its way, and the others got their turn; None when somebody is."""
    lapsed = view_of(tx, waiter).lapsed()
    if lapsed is None:
        return None
    freed = reclaim_all(tx, lapsed)
    granted = grant_waiter(tx, waiter)
    if freed:
        hand_out(tx, freed)
    return granted


def reclaim_all(tx: Tx, lapsed: list[Row]) -> list[str]:
    """The lapsed leases have ended; their resources."""
    freed: list[str] = []
    for row in lapsed:
        reclaim(tx, row)
        freed += names_in(row["resources"])
    return freed


def alive(tx: Tx, waiter: Row) -> bool:
    """Whether the waiter keeps its place, and the lease that it would replace is in force."""
    if waiter["expires_at"] <= tx.now_us:
        return False
    if waiter["replaces"] is None:
        return True
    replaced = replaced_by(tx, waiter)
    return replaced is not None and bool(replaced["expires_at"] > tx.now_us)


@dataclass(slots=True)
class _Walk:
    """One handing out: where something became free, and how many were granted so far."""

    region: dict[str, int]
    granted: int = field(default=0)

    def go(self, tx: Tx) -> dict[str, int]:
        """The waiters of the region had their turn in the order of rank, until one freed more: that, or nothing."""
        leaves = [name for name, leaf in self.region.items() if leaf]
        ahead: list[tuple[tuple[str, ...], bool]] = []
        rank, most = (-2, -1), 1  # mostly the first has it, and nobody else can
        while rows := waiters(tx, self.region, *rank, most):
            most = _MORE
            for row in rows:
                rank = (row["rank_class"], row["arrival"])
                wanted = names_in(row["resources"])
                alone = row["mode"] == "exclusive"
                waits = any((alone or other_alone) and overlap(wanted, other) for other, other_alone in ahead)
                lapsed = None if waits else self._lapsed(tx, row, wanted)
                if lapsed is not None and not alive(tx, row):
                    expire(tx, row)
                    return footprint(wanted)
                if lapsed is not None:
                    freed = reclaim_all(tx, lapsed)
                    grant_waiter(tx, row)
                    self.granted += 1
                    if freed:
                        return footprint(freed)
                if row["expires_at"] > tx.now_us:
                    ahead.append((wanted, alone))
                    if alone and _covers(wanted, leaves):
                        return {}
        return {}

    def _lapsed(self, tx: Tx, row: Row, wanted: tuple[str, ...]) -> list[Row] | None:
        """The lapsed leases that the waiter replaces if it is granted now; None when somebody is in its way."""
        view = view_of(tx, row)
        leases = view.leases() if view.taken() else []
        if leases and not leases[0]["lapsed"]:
            return None
        # Whoever stands before it within the region was looked at already.
        inside = all(self.region.get(name) for name in wanted)
        return leases if inside or not view.waiters(most=1) else None


def _covers(wanted: tuple[str, ...], leaves: list[str]) -> bool:
    """Whether whoever conflicts with any of `leaves` also conflicts with `wanted`."""
    return all(any(leaf == name or leaf.startswith(f"{name}/") for name in wanted) for leaf in leaves)
