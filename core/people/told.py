"""What a channel told about itself: the realm that its token belongs to, and who is in a group that it keeps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, insert, select, update

from core.errors import Conflict
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_R, _G = schema.realm, schema.told_group
_REALMS = Statement(select(_R.c.channel, _R.c.realm))
_PIN = Statement(insert(_R), ("channel", "realm", "at"))
_GROUPS = Statement(select(_G))
_GROUP = Statement(select(_G).where(_G.c.source == bindparam("source")))
_NEW = Statement(insert(_G), ("source", "members", "at", "problem"))
_TELL = Statement(
    update(_G)
    .where(_G.c.source == bindparam("w_source"))
    .values(members=bindparam("members"), at=bindparam("at"), problem=bindparam("problem"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who was told to be in a group, and when."""

    members: frozenset[str]
    """Identities on the channel, known to the hub or not."""
    at: int
    """When the channel answered last."""
    problem: str | None
    """Why it has not answered since; None while it does."""


def realms(reader: Reader) -> dict[str, str]:
    """Channel -> the realm of its bare identities."""
    return {row["channel"]: row["realm"] for row in reader.all(_REALMS)}


def pin(tx: Tx, channel: str, realm: str) -> None:
    """The channel's bare identities belong to `realm`. Raises Conflict (`other_realm`) when they belong to another."""
    known = realms(tx).get(channel)
    if known == realm:
        return
    if known is not None:
        raise Conflict(
            "other_realm",
            f"this token belongs to {realm}, but the bare ids of hub.yaml were first seen in {known} and mean other "
            f"people there; write them whole, like {realm}/U024BE7LH, under another channel name",
        )
    tx.run(_PIN, channel=channel, realm=realm, at=tx.now_us)
    tx.record("identity:pinned", actor=HUB.id, subject=channel, channel=channel, details={"realm": realm})


def told_groups(reader: Reader) -> dict[str, Told]:
    """Source (`slack:S0123`) -> who was told to be in it."""
    return {
        row["source"]: Told(members=frozenset(orjson.loads(row["members"])), at=row["at"], problem=row["problem"])
        for row in reader.all(_GROUPS)
    }


def tell_group(tx: Tx, source: str, members: Collection[str] | None, problem: str | None = None) -> bool:
    """These are the group's members as of now, or why they could not be read; whether anything is new."""
    row = tx.one(_GROUP, source=source)
    before = orjson.loads(row["members"]) if row is not None else []
    now = before if members is None else sorted(members)
    at = tx.now_us if members is not None else row["at"] if row is not None else 0
    if row is None:
        tx.run(_NEW, source=source, members=orjson.dumps(now).decode(), at=at, problem=problem)
    else:
        tx.run(_TELL, w_source=source, members=orjson.dumps(now).decode(), at=at, problem=problem)
    is_new = now != before or (row is None) or (row["problem"] is None) != (problem is None)
    if is_new:
        tx.record(
            "group:told",
            actor=HUB.id,
            subject=source,
            channel=source.partition(":")[0],
            details={"members": len(now), "readable": problem is None},
            private={"joined": sorted(set(now) - set(before)), "left": sorted(set(before) - set(now))},
        )
    return is_new
