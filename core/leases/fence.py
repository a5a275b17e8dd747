"""The fence: per resource the highest token that an effect began with. A lower one is refused there.

A row stands for a resource, and one named with a trailing `/` for everything below it, so that a run on `repo:web`
and one on `repo:web/src` see each other by equality look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, insert, select, update

from core.errors import Conflict
from core.leases.resource import ancestors
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_fence = schema.fence
_READ = Statement(select(_fence.c.last_token).where(_fence.c.resource == bindparam("resource")))
_RAISE = Statement(
    update(_fence)
    .where(_fence.c.resource == bindparam("w_resource"), _fence.c.last_token <= bindparam("token", type_=BigInteger()))
    .values(last_token=bindparam("token", type_=BigInteger()))
)
_NEW = Statement(insert(_fence), ("resource", "last_token"))


def raise_fence(tx: Tx, resources: Iterable[str], token: int) -> None:
    """Nothing with a lower token passes at these resources any more.

    Raises Conflict (`fenced`) when something with a higher token already did there, above or below.
    """
    wanted = tuple(resources)
    for resource in wanted:
        for name in (f"{resource}/", *ancestors(resource)):
            if (_last(tx, name) or 0) > token:
                raise _fenced(resource)
        if not _lift(tx, resource, token):
            raise _fenced(resource)
    for above in {f"{name}/" for resource in wanted for name in ancestors(resource)}:
        _lift(tx, above, token)


def overtaken(reader: Reader, resources: Iterable[str], token: int) -> bool:
    """Whether something with a higher token began at, above or below these resources."""
    names = {name for resource in resources for name in (resource, f"{resource}/", *ancestors(resource))}
    return any((_last(reader, name) or 0) > token for name in names)


def check_fence(reader: Reader, resources: Iterable[str], token: int) -> None:
    """Nothing with a higher token began at these resources. Raises Conflict (`fenced`)."""
    for resource in resources:
        if overtaken(reader, (resource,), token):
            raise _fenced(resource)


def _last(reader: Reader, name: str) -> int | None:
    row = reader.one(_READ, resource=name)
    return None if row is None else int(row["last_token"])


def _lift(tx: Tx, name: str, token: int) -> bool:
    """The row is at least `token`; False when it is higher."""
    if tx.run(_RAISE, w_resource=name, token=token):
        return True
    if _last(tx, name) is not None:
        return False
    tx.run(_NEW, resource=name, last_token=token)
    return True


def _fenced(resource: str) -> Conflict:
    return Conflict("fenced", f"a later holder already began to work on {resource}", resource=resource)
