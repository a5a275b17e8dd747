"""The log read back: proving one entry of a million, and verifying stored bytes."""

from __future__ import annotations

import hashlib
import time

from core.audit.entry import Draft, seal
from core.audit.merkle import Tree, leaf_hash

ENTRIES = 100_000


def sealing() -> dict[str, float]:
    """Entries sealed per second on one core, without and with three private fields."""
    plain = Draft(event="command:received", actor="ana", subject="A1", channel="bench", details={"verb": "whoami"})
    private = Draft(
        event="approval:requested", actor="ana", subject="A1", private={"params": {"a": 1}, "reason": "r", "title": "t"}
    )
    return {"plain_per_second": _rate(plain), "private_per_second": _rate(private)}


def _rate(draft: Draft) -> float:
    tree = Tree()
    begun = time.perf_counter()
    for seq in range(1, ENTRIES // 5 + 1):
        tree.append(seal(draft, origin="bench", seq=seq, ts=seq).leaf_hash)
    return (ENTRIES // 5) / (time.perf_counter() - begun)


def hashing() -> dict[str, float]:
    """Leaf hashes over stored entries per second: the floor of verification."""
    stored = [hashlib.sha256(seq.to_bytes(8, "big")).digest() * 12 for seq in range(ENTRIES)]
    tree = Tree()
    begun = time.perf_counter()
    for entry in stored:
        tree.append(leaf_hash(entry))
    return {"per_second": ENTRIES / (time.perf_counter() - begun)}
