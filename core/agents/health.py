"""How an agent is: when it was heard of last, and what it says of itself, which is kept and shown as its claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import bindparam, update

from core.agents.budget import Budget, budget_of
from core.agents.standing import Standing, ensure, standings
from core.clock import SECOND, rfc3339
from core.people.directory import Principal
from core.store import schema
from core.store.encoding import dump
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import Limits

Health = Literal["ok", "degraded", "failing"]
SILENT_SECONDS = 180.0
"""An agent that was not heard of for so long is shown as silent."""
_NOTE_EVERY_SECONDS = 3600.0

_T = schema.agent
_SEEN = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(
        seen_at=bindparam("seen_at"),
        noted_at=bindparam("noted_at"),
        health=bindparam("health"),
        claim=bindparam("claim"),
    )
)


def heartbeat(tx: Tx, agent: Principal, *, channel: str, health: Health, claim: Mapping[str, Any]) -> None:
    """The agent was heard of. The log has each change of its health, and otherwise one heartbeat an hour."""
    known = ensure(tx, agent.id)
    note = known.health != health or known.noted_at is None or tx.now_us - known.noted_at > _NOTE_EVERY_SECONDS * SECOND
    tx.run(
        _SEEN,
        w_id=agent.id,
        seen_at=tx.now_us,
        noted_at=tx.now_us if note else known.noted_at,
        health=health,
        claim=dump(dict(claim)),
    )
    if note:
        tx.record(
            "agent:heard",
            actor=agent.id,
            subject=agent.id,
            channel=channel,
            details={"health": health},
            private={"claim": dict(claim)},
        )


def agents_json(reader: Reader, agents: Iterable[Principal], limits: Limits) -> list[dict[str, Any]]:
    """The agents as the API shows them. `claim` holds everything that is an agent's own word, its health too."""
    known = standings(reader)
    return [
        _json(each, known.get(each.id, Standing(id=each.id)), budget_of(reader, each, limits), reader.now_us)
        for each in agents
    ]


def availability(known: Standing, now_us: int) -> str:
    """`suspended`, `paused`, `silent`, `busy` (its own word, `available=no`) or `available`."""
    if known.state != "active":
        return known.state
    if known.seen_at is None or now_us - known.seen_at > SILENT_SECONDS * SECOND:
        return "silent"
    return "busy" if (known.claim or {}).get("available") == "no" else "available"


def _json(agent: Principal, known: Standing, budget: Budget, now_us: int) -> dict[str, Any]:
    return {
        "id": agent.id,
        "kind": agent.kind.value,
        "name": agent.name,
        "groups": sorted(agent.groups),
        "owners": sorted(agent.owners),
        "role": agent.role,
        "skills": sorted(agent.skills),
        "labels": sorted(agent.labels),
        "state": known.state,
        "state_by": known.suspended_by or known.paused_by,
        "state_why": known.suspended_why or known.paused_why,
        "seen_at": rfc3339(known.seen_at) if known.seen_at is not None else None,
        "availability": availability(known, now_us),
        "budget": budget.as_json(),
        "claim": {"health": known.health, **(known.claim or {})} if known.health is not None else None,
    }
