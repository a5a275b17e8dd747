"""The outbox: one row for each copy of a card, with the version that it shall show and the one that it shows.

A row is `pending` while it shall show something newer, `sent` when it is up to date, `done` when it shows an end,
`dead` when it was given up. Only the latest state is ever delivered, so versions in between are skipped. An attempt
first moves `due_at` past the time that the attempt may take, by a guarded update: that is its claim, which lapses by
itself when the process dies.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, case, insert, literal_column, or_, select, update

from core.approvals.approval import Approval
from core.clock import SECOND
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from hub.asking import Target
from hub.contracts import Reminder

MOST_ATTEMPTS = 25
"""Failed attempts in a row after which a copy is given up: at least an hour of them."""

CLAIM_SECONDS = 60.0
"""How long one attempt may take before another may be made."""

_T = schema.delivery
_PENDING: ColumnElement[str] = literal_column("'pending'")

_OF = Statement(select(_T.c.channel, _T.c.address).where(_T.c.approval == bindparam("approval")))
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_LIVE = Statement(
    select(_T)
    .where(_T.c.channel == bindparam("channel"), or_(_T.c.state == _PENDING, _T.c.state == literal_column("'sent'")))
    .order_by(_T.c.id)
)
_DUE = Statement(
    select(_T)
    .where(_T.c.state == _PENDING, _T.c.due_at <= bindparam("now"))
    .order_by(_T.c.due_at, _T.c.id)
    .limit(literal_column("500"))
)
_WANT = Statement(
    update(_T)
    .where(_T.c.approval == bindparam("w_approval"), _T.c.state != literal_column("'dead'"))
    .values(
        desired=_T.c.desired + literal_column("1"),
        due_at=case((_T.c.state == _PENDING, _T.c.due_at), else_=bindparam("now")),
        state=_PENDING,
    )
)
_CLAIM = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == _PENDING, _T.c.due_at == bindparam("w_due_at"))
    .values(due_at=bindparam("until"))
)
_SETTLE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(
        rendered=bindparam("rendered"),
        reference=bindparam("reference"),
        attempts=literal_column("0"),
        error=literal_column("NULL"),
        updated_at=bindparam("now"),
        due_at=bindparam("now"),
        state=case((_T.c.desired > bindparam("rendered"), _PENDING), else_=bindparam("rest")),
    )
)
_FAIL = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(
        attempts=bindparam("attempts"),
        error=bindparam("error"),
        updated_at=bindparam("now"),
        due_at=bindparam("due_at"),
        state=bindparam("state"),
    )
)
_REMIND = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), or_(_T.c.reminded.is_(None), _T.c.reminded != bindparam("key")))
    .values(reminded=bindparam("key"))
)
_UNREMIND = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.reminded == bindparam("w_key"))
    .values(reminded=bindparam("before"))
)
_RESUME = Statement(update(_T).where(_T.c.state == _PENDING).values(due_at=bindparam("now")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy of a card in one place."""

    id: int
    approval: int
    channel: str
    address: str
    recipient: str | None
    state: str
    desired: int
    rendered: int
    reference: str | None
    attempts: int
    error: str | None
    due_at: int
    reminded: str | None

    @property
    def place(self) -> tuple[str, str]:
        """Where it is: copies in one place are delivered one after the other."""
        return self.channel, self.address


_FIELDS = tuple(Copy.__dataclass_fields__)


def _copy(row: Row) -> Copy:
    return Copy(**{field: row[field] for field in _FIELDS})


def want(tx: Tx, approval: Approval, targets: list[Target]) -> int:
    """Each copy of `approval` shall show its present state, and there is one in each of `targets`; how many are new."""
    tx.run(_WANT, w_approval=approval.id, now=tx.now_us)
    if not targets:
        return 0
    there = {(row["channel"], row["address"]) for row in tx.all(_OF, approval=approval.id)}
    new = [each for each in targets if (each.channel, each.address) not in there]
    for target in new:
        tx.run(
            _NEW,
            id=tx.next_id("delivery"),
            approval=approval.id,
            channel=target.channel,
            address=target.address,
            recipient=target.recipient,
            state="pending",
            desired=1,
            rendered=0,
            reference=None,
            attempts=0,
            error=None,
            due_at=tx.now_us,
            created_at=tx.now_us,
            updated_at=None,
            reminded=None,
        )
    return len(new)


def find(reader: Reader, number: int) -> Copy | None:
    """The copy of that number."""
    row = reader.one(_FIND, id=number)
    return None if row is None else _copy(row)


def live(reader: Reader, channel: str) -> list[Copy]:
    """Copies on the channel that may still change."""
    return [_copy(row) for row in reader.all(_LIVE, channel=channel)]


def due(reader: Reader) -> list[Copy]:
    """Copies that shall be tried now, the longest waiting first."""
    return [_copy(row) for row in reader.all(_DUE, now=reader.now_us)]


def claim(tx: Tx, copy: Copy) -> bool:
    """Whether this attempt is ours; nobody else makes one meanwhile."""
    until = tx.now_us + int(CLAIM_SECONDS * SECOND)
    return tx.run(_CLAIM, w_id=copy.id, w_due_at=copy.due_at, until=until) == 1


def defer(tx: Tx, copy: Copy, due_at: int) -> bool:
    """The copy waits until then; False when somebody else claimed it."""
    return tx.run(_CLAIM, w_id=copy.id, w_due_at=copy.due_at, until=due_at) == 1


def resume(tx: Tx) -> int:
    """Everything pending is due, also what a process that died had claimed; only where no other process delivers."""
    return tx.run(_RESUME, now=tx.now_us)


def settle(tx: Tx, copy: Copy, *, reference: str, event: str, final: bool) -> None:
    """The copy shows version `copy.desired`, which is recorded."""
    tx.run(
        _SETTLE,
        w_id=copy.id,
        rendered=copy.desired,
        reference=reference,
        now=tx.now_us,
        rest="done" if final else "sent",
    )
    _record(tx, "delivery:updated" if copy.rendered else "delivery:sent", copy, {"shows": event})


def take_reminder(tx: Tx, copy: Copy, reminder: Reminder) -> bool:
    """The reminder counts as carried to this copy, which is recorded; False when it did before."""
    if tx.run(_REMIND, w_id=copy.id, key=reminder.key) != 1:
        return False
    people = [each.id for each in reminder.people]
    _record(tx, "delivery:sent", copy, {"shows": "approval:reminded", "reminder": reminder.number, "people": people})
    return True


def drop_reminder(tx: Tx, copy: Copy, reminder: Reminder, error: str, later: bool) -> None:
    """The reminder was not carried; with `later` it is to be carried by another attempt."""
    if later:
        tx.run(_UNREMIND, w_id=copy.id, w_key=reminder.key, before=copy.reminded)
    event = "delivery:throttled" if later else "delivery:failed"
    _record(tx, event, copy, {"shows": "approval:reminded", "reminder": reminder.number}, error=error[:500])


def note_reminder(tx: Tx, copy: Copy, key: str) -> None:
    """A copy that is new reminds by itself: what was due before it is not said again."""
    tx.run(_REMIND, w_id=copy.id, key=key)


def skip(tx: Tx, copy: Copy, *, final: bool) -> None:
    """The copy cannot show version `copy.desired` and need not: nothing was sent."""
    tx.run(
        _SETTLE,
        w_id=copy.id,
        rendered=copy.desired,
        reference=copy.reference,
        now=tx.now_us,
        rest="done" if final else "sent",
    )


def fail(tx: Tx, copy: Copy, *, error: str, permanent: bool, throttled: bool, wait_seconds: float) -> bool:
    """The attempt failed and will be repeated, or the copy is dead; whether it is dead. Throttled ones do not count."""
    attempts = copy.attempts + (0 if throttled else 1)
    is_dead = permanent or attempts >= MOST_ATTEMPTS
    tx.run(
        _FAIL,
        w_id=copy.id,
        attempts=attempts,
        error=error[:500],
        now=tx.now_us,
        due_at=tx.now_us + int(wait_seconds * SECOND),
        state="dead" if is_dead else "pending",
    )
    event = "delivery:dead" if is_dead else "delivery:throttled" if throttled else "delivery:failed"
    _record(tx, event, copy, {"attempt": attempts}, error=error[:500])
    return is_dead


def _record(tx: Tx, event: str, copy: Copy, details: dict[str, object], error: str | None = None) -> None:
    private: dict[str, object] = {"address": copy.address}
    if error is not None:
        private["error"] = error
    tx.record(
        event,
        actor=HUB.id,
        subject=f"A{copy.approval}",
        channel=copy.channel,
        details={"delivery": copy.id, "version": copy.desired, "recipient": copy.recipient, **details},
        private=private,
    )
