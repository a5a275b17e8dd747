"""Ending another's lease, and whether that needs other people."""

from __future__ import annotations

from commands.requesting import checked_reason
from commands.verb import Call
from core.approvals.permit import permit
from core.errors import Forbidden, Invalid
from core.ids import parse, show
from core.leases.ending import break_
from core.leases.lease import Lease
from core.store.tx import Tx

PARAMETER = "lease"
"""The parameter of the action of `leases.break_needs` that names the lease."""


def break_lease(tx: Tx, call: Call, lock_id: str, said: str) -> Lease:
    """The lease has ended. Raises Forbidden (`approval_required`), and what `break_` raises."""
    reason = checked_reason(said)
    if reason is None:
        raise Invalid("reason_required", f"say why {lock_id} is broken: its holder will read it")
    return break_(tx, call.principal.id, lock_id, reason, call.channel, permitted(tx, call, lock_id))


def permitted(tx: Tx, call: Call, lock_id: str) -> str | None:
    """The request that allows the caller to take this lease away; None where hub.yaml asks for none.

    A lease's id never comes back, so a request that names it permits one break at most.
    """
    action = call.world.break_needs
    if action is None:
        return None
    name = show("L", parse("L", lock_id))
    found = permit(tx, action, call.principal.id, {PARAMETER: name})
    if found is None:
        raise Forbidden(
            "approval_required",
            f"breaking a lease needs others here: ask for `{action} {name} because …`, and once that has completed "
            f"break {name} again",
        )
    return found
