"""Whether an agent may act: active, paused by a person, or suspended.

A paused agent keeps its keys, its requests and its runs, and is asked to acknowledge; it may not ask for anything new.
A suspended one has nothing left: its keys, open requests and runs ended (DESIGN 3.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, insert, select, update

from core.errors import Conflict, Forbidden, NotFound
from core.people.directory import Kind, Principal
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.agent
_FIELDS = tuple(column.name for column in _T.columns)
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_ALL = Statement(select(_T))
_NEW = Statement(insert(_T), ("id",))
_PAUSE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(paused_at=bindparam("at"), paused_by=bindparam("by"), paused_why=bindparam("why"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is stored of one agent; times in microseconds. `claim` is what it says of itself and proves nothing."""

    id: str
    suspended_at: int | None = None
    suspended_by: str | None = None
    suspended_why: str | None = None
    paused_at: int | None = None
    paused_by: str | None = None
    paused_why: str | None = None
    seen_at: int | None = None
    noted_at: int | None = None
    health: str | None = None
    claim: Any = None
    told_at: int | None = None

    @property
    def state(self) -> Literal["active", "paused", "suspended"]:
        """What the agent may do now, in a word."""
        if self.suspended_at is not None:
            return "suspended"
        return "paused" if self.paused_at is not None else "active"


def standing(reader: Reader, agent: str) -> Standing:
    """What is known of the agent; nothing yet of one that was never heard of."""
    row = reader.one(_FIND, id=agent)
    return _of_row(row) if row is not None else Standing(id=agent)


def standings(reader: Reader) -> dict[str, Standing]:
    """What is known of every agent that anything is known of."""
    return {row["id"]: _of_row(row) for row in reader.all(_ALL)}


def _of_row(row: Row) -> Standing:
    values = {field: row[field] for field in _FIELDS}
    return Standing(**{**values, "claim": load(values["claim"])})


def ensure(tx: Tx, agent: str) -> Standing:
    """What is known of the agent, which has a row from now on."""
    row = tx.one(_FIND, id=agent)
    if row is None:
        tx.run(_NEW, id=agent)
        return Standing(id=agent)
    return _of_row(row)


def agent_of(world: World, name: str) -> Principal:
    """The agent of that name. Raises NotFound."""
    found = world.people.find(name.removeprefix("@"))
    if found is None or found.kind is not Kind.AGENT:
        raise NotFound("not_found", f"there is no agent {name[:64]!r}; `agents` lists them")
    return found


def demand_active(reader: Reader, principal: Principal) -> None:
    """Nothing, unless the caller is a suspended agent. Raises Forbidden `suspended`."""
    if principal.kind is Kind.AGENT:
        known = standing(reader, principal.id)
        if known.suspended_at is not None:
            raise Forbidden("suspended", f"{principal.id} is suspended; its owner or an administrator can lift that")


def demand_at_work(reader: Reader, principal: Principal) -> None:
    """Nothing, unless the caller is a paused agent. Raises Forbidden `paused`."""
    if principal.kind is Kind.AGENT:
        known = standing(reader, principal.id)
        if known.paused_at is not None:
            raise Forbidden(
                "paused", f"{principal.id} is paused by {known.paused_by}: {known.paused_why or 'no reason'}"
            )


def demand_may_steer(world: World, by: Principal, agent: Principal) -> None:
    """Nothing, for a person who owns the agent or has the right `stop`. Raises Forbidden."""
    if by.kind in (Kind.PERSON, Kind.OPERATOR) and (by.id in agent.owners or world.rights.has(by, "stop")):
        return
    owners = ", ".join(sorted(agent.owners))
    raise Forbidden("not_allowed", f"{agent.id} is steered by its owner ({owners}) and by who has the right stop")


def pause(tx: Tx, agent: Principal, *, by: Principal, channel: str, reason: str | None) -> None:
    """The agent may ask for nothing new. Raises Conflict `already_paused`, `suspended`."""
    known = ensure(tx, agent.id)
    if known.state != "active":
        raise Conflict(f"already_{known.state}", f"{agent.id} is {known.state} already")
    tx.run(_PAUSE, w_id=agent.id, at=tx.now_us, by=by.id, why=reason)
    tx.record("agent:paused", actor=by.id, subject=agent.id, channel=channel, private={"reason": reason})


def unpause(tx: Tx, agent: Principal, *, by: Principal, channel: str) -> None:
    """The agent may ask again. Raises Conflict `not_paused`."""
    if ensure(tx, agent.id).paused_at is None:
        raise Conflict("not_paused", f"{agent.id} is not paused")
    tx.run(_PAUSE, w_id=agent.id, at=None, by=None, why=None)
    tx.record("agent:resumed", actor=by.id, subject=agent.id, channel=channel, details={"was": "paused"})
