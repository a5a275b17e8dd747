"""Receipts of whatever the engine recorded, made with a key of our own: what a hub would sign, and what it would not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from court import Court
from sqlalchemy import select

from core.approvals.approval import find
from core.audit.canonical import canonical
from core.audit.entry import decode
from core.audit.keys import SigningKey, VerifierKey
from core.audit.merkle import inclusion_proof, leaf_hash, root_of
from core.audit.note import Checkpoint, sign
from core.policy.policy import Policy
from core.receipt import complete
from core.receipt.receipt import VERSION
from core.store import schema
from core.store.statement import Statement

_LOG = Statement(select(schema.log.c.entry).order_by(schema.log.c.seq))


def definition(policy: Policy) -> str:
    """The policy as the digest binds it, of what the count depends on."""
    require = [
        {"group": each.group, "count": each.count} if each.group else {"person": each.person} for each in policy.require
    ]
    said = {"name": policy.name, "require": require, "veto": list(policy.veto), "delegation": policy.delegation}
    numbers = {"reject": policy.reject, **({"distinct_people": n} if (n := policy.distinct_people) else {})}
    words = {"min_assurance": policy.min_assurance.word, "confirm": policy.confirm}
    return canonical(said | numbers | words).decode()


class History:
    """The log of a court, with everything in it about one approval."""

    def __init__(self, court: Court, number: int) -> None:
        self.bound = court.write(find, number).bound
        self.approval = f"A{number}"
        self.log = [bytes(row["entry"]) for row in court.write(lambda tx: tx.all(_LOG))]
        self.entries = [decode(raw) for raw in self.log]
        self.about = [
            entry.seq
            for entry in self.entries
            if entry.subject == self.approval and entry.event.startswith(complete.EVENTS)
        ]
        self._key = SigningKey.generate(self.entries[0].origin)

    @property
    def key(self) -> VerifierKey:
        return self._key.verifier

    def rewrite(self, event: str, edit: Callable[[dict[str, Any]], None]) -> None:
        """The first entry of that event says what `edit` makes of its details, as if the hub had written it so."""
        at = next(at for at, entry in enumerate(self.entries) if entry.event == event)
        members = json.loads(self.log[at])
        edit(members["details"])
        self.log[at] = canonical(members)
        self.entries[at] = decode(self.log[at])

    def receipt(self, seqs: Sequence[int] | None = None, *, stated: Sequence[int] | None = None) -> dict[str, Any]:
        """A receipt with those entries, and a statement that `stated` are all; of everything when nothing is given."""
        given = self.about if seqs is None else seqs
        leaves = [leaf_hash(raw) for raw in self.log]
        checkpoint = Checkpoint(origin=self.entries[0].origin, size=len(leaves), root=root_of(leaves))
        said = [self.log[seq - 1] for seq in (self.about if stated is None else stated)]
        return {
            "interlock_receipt": VERSION,
            "approval": self.approval,
            "bound": self.bound,
            "entries": [
                {
                    "entry": self.log[seq - 1].decode(),
                    "values": [],
                    "hashes": [
                        each.hex()
                        for each in inclusion_proof(
                            seq - 1, len(leaves), lambda start, stop: root_of(leaves[start:stop])
                        )
                    ],
                }
                for seq in given
            ],
            "checkpoint": sign(checkpoint.text, [self._key]).render(),
            "statement": sign(complete.text(self.approval, checkpoint, said), [self._key]).render(),
        }
