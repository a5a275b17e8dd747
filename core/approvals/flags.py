"""Small facts that guards read in their transaction: whether everything is halted, which configuration is in force."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select

from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_FLAG = schema.flag
_FIND = Statement(select(_FLAG.c.value).where(_FLAG.c.name == bindparam("name")))
_SET = Statement(insert(_FLAG), ("name", "value", "at"))
_CLEAR = Statement(delete(_FLAG).where(_FLAG.c.name == bindparam("name")))
_CONFIG = schema.config
_NEWEST = Statement(select(_CONFIG).order_by(_CONFIG.c.version.desc()).limit(1))
_PUBLISH = Statement(insert(_CONFIG), ("version", "digest", "at"))

HALTED = "halted"


def halted(reader: Reader) -> str | None:
    """Why everything is stopped, or None."""
    row = reader.one(_FIND, name=HALTED)
    return row["value"] if row is not None else None


def halt(tx: Tx, why: str) -> None:
    """Nothing starts from now on, until `clear`."""
    clear(tx)
    tx.run(_SET, name=HALTED, value=why, at=tx.now_us)


def clear(tx: Tx) -> bool:
    """Runs may start again; whether they could not before."""
    return tx.run(_CLEAR, name=HALTED) == 1


def config_in_force(reader: Reader) -> tuple[int, str]:
    """The published configuration's version and digest; (0, "") before the first."""
    row = reader.one(_NEWEST)
    return (int(row["version"]), row["digest"]) if row is not None else (0, "")


def is_in_force(reader: Reader, world: World) -> bool:
    """Whether `world` is the configuration in force and the groups that channels tell are still fresh in it."""
    if config_in_force(reader)[0] != world.version:
        return False
    return world.groups_until is None or reader.now_us < world.groups_until


def publish(tx: Tx, digest: str) -> int:
    """The configuration with that digest is in force; its version, a new one unless it was in force already."""
    version, current = config_in_force(tx)
    if current == digest:
        return version
    tx.run(_PUBLISH, version=version + 1, digest=digest, at=tx.now_us)
    return version + 1
