"""Messages as a channel received them, and addresses that take none: what a mail channel must remember.

A message is kept before it is read, so that nothing is lost when reading it fails; its outcome is noted when it was
handled. The effect itself has its own once-key, so a crash in between repeats nothing.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, literal_column, select, update

from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from hub import outbox

_R, _S = schema.received, schema.suppressed
_FIND = Statement(
    select(_R.c.tries, _R.c.outcome).where(_R.c.channel == bindparam("channel"), _R.c.key == bindparam("key"))
)
_NEW = Statement(insert(_R), tuple(column.name for column in _R.columns))
_AGAIN = Statement(
    update(_R)
    .where(_R.c.channel == bindparam("w_channel"), _R.c.key == bindparam("w_key"))
    .values(tries=_R.c.tries + literal_column("1"))
)
_SETTLE = Statement(
    update(_R)
    .where(_R.c.channel == bindparam("w_channel"), _R.c.key == bindparam("w_key"))
    .values(outcome=bindparam("outcome"))
)
_FORGET_TEXT = Statement(
    update(_R)
    .where(_R.c.channel == bindparam("w_channel"), _R.c.key == bindparam("w_key"))
    .values(outcome=bindparam("outcome"), raw=literal_column("NULL"))
)
_LEFT = Statement(
    select(_R.c.key, _R.c.raw)
    .where(_R.c.channel == bindparam("channel"), _R.c.outcome.is_(None))
    .order_by(_R.c.at, _R.c.key)
    .limit(literal_column("1000"))
)
_FORGET = Statement(delete(_R).where(_R.c.at < bindparam("before")))
_SUPPRESSED = Statement(select(_S.c.channel, _S.c.address))
_REFUSING = Statement(select(_S).order_by(_S.c.at.desc(), _S.c.address).limit(literal_column("50")))
_SUPPRESS = Statement(insert(_S), tuple(column.name for column in _S.columns))
_CLEAR_ALL = Statement(delete(_S).where(_S.c.channel == bindparam("channel")))
_CLEAR = Statement(delete(_S).where(_S.c.channel == bindparam("channel"), _S.c.address == bindparam("address")))


def keep_received(tx: Tx, channel: str, key: str, raw: bytes) -> int:
    """The message is kept; how often it has been tried now, or 0 when it was handled before."""
    row = tx.one(_FIND, channel=channel, key=key)
    if row is None:
        tx.run(_NEW, channel=channel, key=key, raw=raw, tries=1, outcome=None, at=tx.now_us)
        return 1
    if row["outcome"] is not None:
        return 0
    tx.run(_AGAIN, w_channel=channel, w_key=key)
    return int(row["tries"]) + 1


def settle_received(tx: Tx, channel: str, key: str, outcome: str, forget_text: bool = False) -> None:
    """What became of the message is noted, in a word or two; with `forget_text` the message itself is gone."""
    tx.run(_FORGET_TEXT if forget_text else _SETTLE, w_channel=channel, w_key=key, outcome=outcome[:100])


def left_received(reader: Reader, channel: str) -> list[tuple[str, bytes]]:
    """Key and text of what was never settled, the oldest first."""
    return [(row["key"], bytes(row["raw"] or b"")) for row in reader.all(_LEFT, channel=channel)]


def forget(tx: Tx, before_us: int) -> None:
    """Messages received before are gone."""
    tx.run(_FORGET, before=before_us)


def suppressed(reader: Reader) -> frozenset[tuple[str, str]]:
    """The (channel, address) pairs that take no message."""
    return frozenset((row["channel"], row["address"]) for row in reader.all(_SUPPRESSED))


def refusing(reader: Reader) -> list[tuple[str, str, str]]:
    """Channel and address of what takes no message, and why, the latest first."""
    return [(row["channel"], row["address"], row["why"]) for row in reader.all(_REFUSING)]


def suppress(tx: Tx, channel: str, address: str, why: str) -> None:
    """Nobody is asked at that address any more."""
    tx.run(_CLEAR, channel=channel, address=address)
    tx.run(_SUPPRESS, channel=channel, address=address, why=why[:300], at=tx.now_us)


def clear(tx: Tx, channel: str, address: str | None) -> bool:
    """The address takes messages again (None: every address of the channel); whether one did not before."""
    if address is None:
        return tx.run(_CLEAR_ALL, channel=channel) > 0
    return tx.run(_CLEAR, channel=channel, address=address) == 1


def bounce(tx: Tx, delivery: int, why: str) -> bool:
    """The copy is dead and its address takes no more messages; False when there is no such copy under way."""
    copy = outbox.find(tx, delivery)
    if copy is None:
        return False
    suppress(tx, copy.channel, copy.address, why)
    if copy.state != "dead":
        outbox.fail(tx, copy, error=why, permanent=True, throttled=False, wait_seconds=0.0)
    return True


def gone(tx: Tx, channel: str, prefix: str, why: str) -> int:
    """Every live copy at an address that begins so is dead, and nobody is asked there; how many copies."""
    copies = [each for each in outbox.live(tx, channel) if each.address.startswith(prefix)]
    for copy in copies:
        suppress(tx, copy.channel, copy.address, why)
        outbox.fail(tx, copy, error=why, permanent=True, throttled=False, wait_seconds=0.0)
    return len(copies)
