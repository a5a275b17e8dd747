"""What the token of a copy stands for: links and reply addresses in mail carry one.

Who presents it was given that copy, and no more: the channel says how strongly that proves them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from core import ids
from core.approvals import press
from core.approvals.approval import find
from core.approvals.rule import rule_of
from core.approvals.states import State
from core.approvals.view import view_of
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.world import World
from hub.contracts import Opened

OPEN = "open"
"""The choice whose token stands for the copy itself; pressing it does nothing."""

_CHOICES = ("approve", "reject", "request-changes")
_T = schema.delivery
_COPY = Statement(select(_T.c.channel, _T.c.address, _T.c.recipient).where(_T.c.id == bindparam("id")))


def opened(reader: Reader, world: World, key: bytes, token: str) -> tuple[Opened, dict[str, Any]] | None:
    """What `token` stands for, and the Approval JSON as it is now; None for no token of a copy of ours."""
    found = press.find(reader, token)
    if found is None or found.choice != OPEN:
        return None
    copy = reader.one(_COPY, id=found.delivery)
    if copy is None:
        return None
    approval = find(reader, found.approval)
    rule = rule_of(world, approval)
    tokens = {
        choice: press.token(
            key,
            approval=found.approval,
            revision=found.revision,
            digest=found.digest,
            choice=choice,
            delivery=found.delivery,
        )
        for choice in _CHOICES
    }
    seen = Opened(
        approval=ids.show("A", found.approval),
        revision=found.revision,
        digest=found.digest,
        delivery=found.delivery,
        channel=copy["channel"],
        address=copy["address"],
        recipient=copy["recipient"],
        current=approval.state is State.REVIEWING and approval.digest == found.digest,
        tokens=tokens,
        short_replies=rule.short_replies if rule is not None else False,
    )
    return seen, view_of(reader, world, approval)
