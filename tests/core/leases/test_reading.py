"""What people see of leases: who holds, who waits, and what an approval waits for."""

from __future__ import annotations

from core.clock import ManualClock
from core.leases.acquiring import acquire
from core.leases.ending import close_for_run
from core.leases.lease import Lease, Ticket
from core.leases.proving import prove_held
from core.leases.reading import live, queue, waiting_for
from core.leases.request import Acquire
from core.leases.terms import RUN
from core.store.database import Database


def ask(database: Database, principal: str, *resources: str, wait: float = 0.0, **more: object) -> Lease | Ticket:
    request = Acquire(principal=principal, resources=resources, wait_seconds=wait, **more)  # type: ignore[arg-type]
    return database.write_now(acquire, request)


def test_lists_show_what_is_in_force_and_who_still_waits(database: Database, clock: ManualClock) -> None:
    ask(database, "ana", "env:short", ttl_seconds=10)
    closed = ask(database, "ana", "env:closed", ttl_seconds=10)
    ask(database, "ana", "env:long", ttl_seconds=600)
    ask(database, "bo", "env:long", wait=600)
    run = ask(database, "cai", "env:long", wait=600, rank_class=RUN)
    ask(database, "dee", "env:long", wait=5)
    assert isinstance(closed, Lease)
    database.write_now(close_for_run, closed.number)
    clock.advance(10)
    assert [(each.resources, each.state) for each in database.read_now(live)] == [
        (("env:closed",), "closed"),
        (("env:long",), "held"),
    ]
    waiting = database.read_now(queue)
    assert [(each.principal, each.position) for each in waiting] == [("cai", 1), ("bo", 2)]
    assert waiting[0].lock_id == run.lock_id


def test_an_approval_sees_per_resource_who_is_in_its_way(database: Database) -> None:
    ask(database, "ana", "repo:web/src", purpose="a build", holder="task-1")
    ask(database, "cai", "repo:web/doc", wait=600)
    ask(database, "hub", "repo:web", "env:free", wait=600, approval=7, rank_class=RUN)
    found = {each["resource"]: each for each in database.read_now(waiting_for, 7)}
    assert [holder["holder"] for holder in found["repo:web"]["held_by"]] == ["task-1", "L2"]
    assert found["env:free"]["held_by"] == []
    assert found["repo:web"]["position"] == 1
    assert database.read_now(waiting_for, 8) == []


def test_a_lease_is_proved_by_its_token_and_its_time(database: Database, clock: ManualClock) -> None:
    lease = ask(database, "ana", "env:a", ttl_seconds=10)
    assert isinstance(lease, Lease)

    def proved(token: int) -> bool:
        try:
            database.write_now(prove_held, lease.number, token)
        except Exception as refusal:
            assert getattr(refusal, "code", None) == "lease_lost"
            return False
        return True

    assert proved(lease.token)
    assert not proved(lease.token + 1)
    clock.advance(10)
    assert not proved(lease.token)
